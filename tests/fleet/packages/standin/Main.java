// A stand-in for jenkins.war / cloudbees-core-*.war: a real JVM with a real web port and the telemetry sender's
// behaviour, small enough for a dozen hosts on one machine. No product code.
package executable;

import com.cloudbees.analytics.gatherer.Sender;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.security.KeyStore;
import java.util.concurrent.Executors;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;

public final class Main {
    public static void main(String[] args) throws Exception {
        int port = 8080;
        int securePort = -1;
        String keystore = null;
        for (String arg : args) {
            if (arg.startsWith("--httpPort=")) {
                port = Integer.parseInt(arg.substring("--httpPort=".length()));
            } else if (arg.startsWith("--httpsPort=")) {
                securePort = Integer.parseInt(arg.substring("--httpsPort=".length()));
            } else if (arg.startsWith("--httpsKeyStore=")) {
                keystore = arg.substring("--httpsKeyStore=".length());
            }
        }
        String product = Main.class.getPackage().getImplementationTitle();
        String name = System.getProperty("JENKINS_HOME", System.getenv("JENKINS_HOME"));
        Path home = name == null ? null : Paths.get(name);
        prepare(home);

        endAfter(home);
        Jenkins jenkins = new Jenkins(home);
        if (port >= 0) {
            serve(HttpServer.create(new InetSocketAddress(port), 0), jenkins);
        }
        if (keystore != null && securePort >= 0) {
            // As Winstone: the password is told by the environment, so that no command line shows it.
            char[] password = System.getenv().getOrDefault("JENKINS_HTTPS_KEYSTORE_PASSWORD", "changeit").toCharArray();
            KeyStore store = KeyStore.getInstance(Paths.get(keystore).toFile(), password);
            KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
            keys.init(store, password);
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(keys.getKeyManagers(), null, null);
            HttpsServer server = HttpsServer.create(new InetSocketAddress(securePort), 0);
            server.setHttpsConfigurator(new HttpsConfigurator(context));
            serve(server, jenkins);
        }

        if (!Sender.isDisabled()) {
            Thread sender = new Thread(new Sender(product), "telemetry-sender");
            sender.setDaemon(true);
            sender.start();
        }
        while (!jenkins.isReady()) {
            Thread.sleep(50);
        }
        System.out.println("INFO hudson.lifecycle.Lifecycle#onReady: Jenkins is fully up and running");
        // The web server's threads keep the JVM alive.
    }

    private static void serve(HttpServer server, Jenkins jenkins) {
        server.setExecutor(Executors.newFixedThreadPool(2));
        server.createContext("/", jenkins);
        server.start();
    }

    /** A JVM that comes up and does not stay up, as one without memory, licence or a plugin that it needs. */
    private static void endAfter(Path home) throws IOException {
        if (home == null || !Files.exists(home.resolve("standin-exit"))) {
            return;
        }
        String[] words = Files.readString(home.resolve("standin-exit")).trim().split(" ", 3);
        if (!words[1].equals("any") && words[1].equals("disabled") != Sender.isDisabled()) {
            return;
        }
        Thread end = new Thread(() -> {
            try {
                Thread.sleep(Long.parseLong(words[0]));
            } catch (InterruptedException e) {
                return;
            }
            System.out.println("SEVERE hudson.WebAppMain: " + (words.length > 2 ? words[2] : "it ends"));
            Runtime.getRuntime().halt(1);
        }, "end");
        end.setDaemon(true);
        end.start();
    }

    /** What an audit may look for in JENKINS_HOME, laid out at the first start as the product does it. */
    private static void prepare(Path home) throws IOException {
        if (home == null || !Files.isDirectory(home) || Files.exists(home.resolve("config.xml"))) {
            return;
        }
        Files.writeString(home.resolve("config.xml"), "<?xml version='1.1' encoding='UTF-8'?>\n<hudson>\n"
                + "  <version>2.426.3</version>\n  <numExecutors>2</numExecutors>\n</hudson>\n");
        Path plugins = Files.createDirectories(home.resolve("plugins"));
        try (OutputStream file = Files.newOutputStream(plugins.resolve("cloudbees-analytics.jpi"));
                ZipOutputStream archive = new ZipOutputStream(file)) {
            archive.putNextEntry(new ZipEntry("META-INF/MANIFEST.MF"));
            archive.write(("Manifest-Version: 1.0\r\nShort-Name: cloudbees-analytics\r\n"
                    + "Plugin-Version: 1.28\r\n\r\n").getBytes(StandardCharsets.UTF_8));
            archive.closeEntry();
        }
    }
}
