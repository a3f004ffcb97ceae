// A stand-in for jenkins.war / cloudbees-core-*.war: a real JVM with a real web port and the telemetry sender's
// behaviour, small enough for a dozen hosts on one machine. No product code.
package executable;

import com.cloudbees.analytics.gatherer.Sender;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.concurrent.Executors;

public final class Main {
    private static final long STARTING_MS = 1500;

    public static void main(String[] args) throws Exception {
        int port = 8080;
        for (String arg : args) {
            if (arg.startsWith("--httpPort=")) {
                port = Integer.parseInt(arg.substring("--httpPort=".length()));
            }
        }
        String product = Main.class.getPackage().getImplementationTitle();
        prepareHome();

        long readyAt = System.nanoTime() + STARTING_MS * 1_000_000;
        HttpServer server = HttpServer.create(new InetSocketAddress(port), 0);
        server.setExecutor(Executors.newFixedThreadPool(2));
        server.createContext("/", exchange -> {
            String path = exchange.getRequestURI().getPath();
            if (System.nanoTime() < readyAt) {
                answer(exchange, 503, "text/html", "Please wait while Jenkins is getting ready to work ...");
            } else if (path.equals("/login")) {
                answer(exchange, 200, "text/html", "<html><title>Sign in [Jenkins]</title></html>");
            } else if (path.equals("/whoAmI/api/json")) {
                answer(exchange, 200, "application/json", "{\"_class\":\"hudson.security.WhoAmI\","
                        + "\"anonymous\":true,\"authenticated\":true,\"name\":\"anonymous\"}");
            } else {
                answer(exchange, 403, "text/html", "Authentication required");
            }
        });
        server.start();

        if (!Sender.isDisabled()) {
            Thread sender = new Thread(new Sender(product), "telemetry-sender");
            sender.setDaemon(true);
            sender.start();
        }
        Thread.sleep(STARTING_MS);
        System.out.println("INFO hudson.lifecycle.Lifecycle#onReady: Jenkins is fully up and running");
        // The web server's threads keep the JVM alive.
    }

    private static void answer(HttpExchange exchange, int status, String type, String text) throws IOException {
        byte[] body = text.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", type + ";charset=utf-8");
        exchange.getResponseHeaders().set("X-Jenkins", "2.426.3");
        exchange.sendResponseHeaders(status, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }

    /** What an audit may look for in JENKINS_HOME, laid out at the first start as the product does it. */
    private static void prepareHome() throws IOException {
        String name = System.getProperty("JENKINS_HOME", System.getenv("JENKINS_HOME"));
        if (name == null) {
            return;
        }
        Path home = Paths.get(name);
        Path config = home.resolve("config.xml");
        if (Files.isDirectory(home) && !Files.exists(config)) {
            Files.writeString(config, "<?xml version='1.1' encoding='UTF-8'?>\n<hudson>\n"
                    + "  <version>2.426.3</version>\n  <numExecutors>2</numExecutors>\n</hudson>\n");
            Path plugin = home.resolve("plugins/cloudbees-analytics/META-INF");
            Files.createDirectories(plugin);
            Files.writeString(plugin.resolve("MANIFEST.MF"), "Manifest-Version: 1.0\n"
                    + "Short-Name: cloudbees-analytics\nPlugin-Version: 1.28\n");
        }
    }
}
