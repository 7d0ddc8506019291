import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

public final class Drive {
    public static void main(String[] arguments) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] fields = line.split("\t", -1);
            Map<String, String> headers = new HashMap<>();
            String[] names = {"webhook-id", "webhook-timestamp", "webhook-signature"};
            for (int at = 0; at < names.length; at++) {
                if (!fields[2 + at].equals("-")) headers.put(names[at], fields[2 + at]);
            }
            List<String> secrets = new ArrayList<>();
            for (String secret : fields[1].split(" ")) {
                if (!secret.isEmpty()) secrets.add(secret);
            }
            byte[] body = Base64.getDecoder().decode(fields[5]);
            System.out.println(Verify.isGenuine(secrets, headers, body, Instant.ofEpochSecond(Long.parseLong(fields[0]))));
        }
    }
}
