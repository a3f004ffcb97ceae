// A stand-in for the few HTTP endpoints of Jenkins that a careful restart uses: no product code.
// As jenkinsci/jenkins answers them: Jenkins.doQuietDown, ComputerSet, WhoAmI; an API token needs no crumb.
// Files in JENKINS_HOME stand for what people and builds do:
//   standin-token          "user:token", who may change something
//   standin-builds         "freestyle|pipeline NAME SECONDS" a line, running so long from when the file was written
//   standin-startup-ms     how long the "please wait" page is shown
//   standin-never-ready    it is shown for ever
//   standin-jobs           what an operations center answers that is asked for its controllers (a tree of jobs), as JSON
//   (more of them: Pages.java)
//   standin-exit           "MILLISECONDS enabled|disabled|any WORDS": with that telemetry the JVM says WORDS, and ends
package executable;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import java.io.IOException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;

final class Jenkins implements HttpHandler {
    private static final long STARTING_MS = 1500;

    private final Path home;
    private final long readyAt;
    private final Pages pages;
    private volatile String quietReason; // null: builds are started

    Jenkins(Path home) {
        this.home = home;
        this.pages = new Pages(home);
        this.readyAt = System.currentTimeMillis() + startingMs(home);
    }

    static long startingMs(Path home) {
        String text = read(home, "standin-startup-ms");
        return text == null ? STARTING_MS : Long.parseLong(text.trim());
    }

    boolean isReady() {
        return System.currentTimeMillis() >= readyAt && read(home, "standin-never-ready") == null;
    }

    @Override
    public void handle(HttpExchange exchange) throws IOException {
        String path = exchange.getRequestURI().getPath();
        boolean post = exchange.getRequestMethod().equals("POST");
        if (!isReady() || pages.isStarting()) {
            answer(exchange, 503, "text/html", "<title>Starting Jenkins</title>Please wait while Jenkins is getting ready to work ...");
        } else if (path.equals("/login")) {
            answer(exchange, 200, "text/html", "<html><title>Sign in [Jenkins]</title></html>");
        } else if (path.equals("/whoAmI/api/json")) {
            json(exchange, "{\"_class\":\"hudson.security.WhoAmI\",\"authenticated\":true}");
        } else if (path.equals("/quietDown") || path.equals("/cancelQuietDown")) {
            change(exchange, post, path.equals("/quietDown"));
        } else if (pages.handle(exchange)) {
            return;
        } else if (!mayRead(exchange)) {
            answer(exchange, 403, "text/html", "Authentication required");
        } else if (path.equals("/api/json") && read(home, "standin-jobs") != null
                && String.valueOf(exchange.getRequestURI().getQuery()).contains("tree=jobs[")) {
            json(exchange, read(home, "standin-jobs"));
        } else if (path.equals("/api/json")) {
            json(exchange, "{\"_class\":\"hudson.model.Hudson\",\"mode\":\"NORMAL\",\"numExecutors\":2,\"quietDownReason\":"
                    + (quietReason == null ? "null" : quoted(quietReason)) + ",\"quietingDown\":" + (quietReason != null) + "}");
        } else if (path.equals("/computer/api/json")) {
            json(exchange, computers());
        } else {
            answer(exchange, 404, "text/html", "Not Found");
        }
    }

    private void change(HttpExchange exchange, boolean post, boolean quiet) throws IOException {
        if (!post) {
            answer(exchange, 405, "text/html", "Method Not Allowed: POST is required");
        } else if (!mayRead(exchange)) {
            answer(exchange, 403, "text/html", "No valid crumb was included in the request");
        } else {
            String query = exchange.getRequestURI().getRawQuery();
            String reason = query != null && query.startsWith("reason=") ? query.substring("reason=".length()) : "";
            quietReason = quiet ? URLDecoder.decode(reason, StandardCharsets.UTF_8) : null;
            exchange.getResponseHeaders().set("Location", "/");
            answer(exchange, 302, "text/html", "");
        }
    }

    private boolean mayRead(HttpExchange exchange) {
        String token = read(home, "standin-token");
        String given = exchange.getRequestHeaders().getFirst("Authorization");
        return token != null && ("Basic " + Base64.getEncoder().encodeToString(
                token.trim().getBytes(StandardCharsets.UTF_8))).equals(given);
    }

    private String computers() {
        List<String> busy = new ArrayList<>();
        List<String> pipelines = new ArrayList<>();
        String text = read(home, "standin-builds");
        for (String line : text == null ? new String[0] : text.split("\n")) {
            String[] words = line.trim().split(" ");
            if (words.length == 3 && age() < Long.parseLong(words[2]) * 1000) {
                String build = "{\"currentExecutable\":{\"fullDisplayName\":" + quoted(words[1])
                        + ",\"url\":" + quoted("http://localhost/job/" + words[1] + "/") + "}}";
                (words[0].equals("pipeline") ? pipelines : busy).add(build);
            }
        }
        busy.add("{\"currentExecutable\":null}");
        return "{\"_class\":\"hudson.model.ComputerSet\",\"busyExecutors\":" + (busy.size() - 1) + ",\"totalExecutors\":2,"
                + "\"computer\":[{\"displayName\":\"Built-In Node\",\"executors\":[" + String.join(",", busy)
                + "],\"oneOffExecutors\":[" + String.join(",", pipelines) + "]}]}";
    }

    private long age() {
        try {
            return System.currentTimeMillis() - Files.getLastModifiedTime(home.resolve("standin-builds")).toMillis();
        } catch (IOException e) {
            return Long.MAX_VALUE;
        }
    }

    static String read(Path home, String name) {
        try {
            return home == null ? null : Files.readString(home.resolve(name));
        } catch (IOException e) {
            return null;
        }
    }

    private static String quoted(String text) {
        return "\"" + text.replace("\\", "\\\\").replace("\"", "\\\"") + "\"";
    }

    private static void json(HttpExchange exchange, String text) throws IOException {
        answer(exchange, 200, "application/json", text);
    }

    static void answer(HttpExchange exchange, int status, String type, String text) throws IOException {
        byte[] body = text.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", type + ";charset=utf-8");
        exchange.getResponseHeaders().set("X-Jenkins", "2.426.3");
        exchange.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }
}
