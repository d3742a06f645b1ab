import java.io.FileInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.time.Duration;

/**
 * The JDK's own client, as it comes: it offers HTTP/2 with every request. Arguments: the address of the service, the
 * version of HTTP to ask for (HTTP_2 or HTTP_1_1), then pairs of a path and the file of its body. Posts each body three
 * times on one client: with its length, in chunks, and with its length again. Prints a line for each answer: path, way,
 * version of HTTP, status and body, separated by tabs.
 */
public class Client {
    public static void main(String[] arguments) throws Exception {
        HttpClient client = HttpClient.newBuilder()
                .version(HttpClient.Version.valueOf(arguments[1]))
                .connectTimeout(Duration.ofSeconds(20))
                .build();
        for (int at = 2; at < arguments.length; at += 2) {
            String path = arguments[at];
            Path file = Path.of(arguments[at + 1]);
            for (String way : new String[] {"length", "chunks", "length"}) {
                BodyPublisher body = way.equals("chunks")
                        ? BodyPublishers.ofInputStream(() -> open(file))
                        : BodyPublishers.ofFile(file);
                HttpRequest request = HttpRequest.newBuilder(URI.create(arguments[0] + path))
                        .timeout(Duration.ofSeconds(30))
                        .header("Content-Type", "application/json")
                        .POST(body)
                        .build();
                HttpResponse<String> answer = client.send(request, BodyHandlers.ofString());
                System.out.println(String.join(
                        "\t", path, way, answer.version().toString(), "" + answer.statusCode(), answer.body()));
            }
        }
    }

    private static FileInputStream open(Path file) {
        try {
            return new FileInputStream(file.toFile());
        } catch (java.io.IOException error) {
            throw new java.io.UncheckedIOException(error);
        }
    }
}
