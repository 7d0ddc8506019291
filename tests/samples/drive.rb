require File.join(ARGV.shift, "verify.rb")

STDIN.each_line do |line|
  now, secrets, id, timestamp, signature, body = line.chomp.split("\t", -1)
  named = { "webhook-id" => id, "webhook-timestamp" => timestamp, "webhook-signature" => signature }
  headers = named.reject { |_, value| value == "-" }
  puts genuine?(secrets.split, headers, body.unpack1("m"), now.to_i)
end
