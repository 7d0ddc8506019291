require "openssl"

TOLERANCE_SECONDS = 300

# secrets: one whsec_…, two while you rotate. headers: names in lower case. body: the raw bytes (request.raw_post in Rails).
def genuine?(secrets, headers, body, now = Time.now.to_i)
  id = headers.fetch("webhook-id", "")
  timestamp = headers.fetch("webhook-timestamp", "")
  return false if id.empty? || !timestamp.match?(/\A[0-9]{1,12}\z/)
  return false if (now - timestamp.to_i).abs > TOLERANCE_SECONDS

  genuine = false
  secrets.each do |secret|
    key = secret.delete_prefix("whsec_").unpack1("m")
    wanted = "v1," + [OpenSSL::HMAC.digest("SHA256", key, "#{id}.#{timestamp}.".b + body.b)].pack("m0")
    headers.fetch("webhook-signature", "").split(" ").each do |given|
      genuine = true if OpenSSL.secure_compare(given, wanted)
    end
  end
  genuine
end
