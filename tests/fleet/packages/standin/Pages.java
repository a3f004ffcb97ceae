// A stand-in for the pages of a controller or operations center that say how telemetry is set: no product code.
// They answer as jenkinsci/jenkins does (login, crumbs, permissions, the markup of its forms); CloudBees' class name, its
// help text and what its export holds beside the checkbox are made up. Files in JENKINS_HOME say who may do what:
//   standin-token      "user:token" of an administrator (a token needs no crumb)
//   standin-password   "user:password" of an administrator: what changes something needs a crumb of the same session
//   standin-reader     "user:token" of somebody with Overall/SystemRead: forms are shown, and cannot be changed
//   standin-nobody     "user:token" of somebody without any permission
//   standin-toggle     "true" or "false": CloudBees' checkbox; without it what it was at the start: what configuration as code
//                      declares, which is then saved, else what its own file in the home says, else true
//   standin-core       "true": core's own statistics are sent
//   standin-markup     modern, core-off, no-span, tables, read-only, login (a redirect), starting, none, two, german
//   standin-events     "NAME TAB DESCRIPTION" a line, which "see details" lists
package executable;

import com.sun.net.httpserver.HttpExchange;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

final class Pages {
    static final String CORE = "hudson.model.UsageStatistics";
    static final String CLOUDBEES = "com.cloudbees.standin.UsageStatisticsCloudBees";
    /** Planted, so that a test may look for them wherever a run leaves something. */
    static final String KEY = "-----BEGIN RSA PRIVATE KEY-----\\nMIIEstandinPLANTEDprivatekey\\n-----END RSA PRIVATE KEY-----";
    static final String GRANT = "PLANTED-grant-id-4711";
    static final String CREDENTIAL = "{AQAAPLANTEDcredential=}";

    private final Path home;
    private final String product;
    private final Map<String, String> crumbs = new ConcurrentHashMap<>();
    private final SecureRandom random = new SecureRandom();
    private final boolean on;

    Pages(Path home) {
        this.home = home;
        this.on = started();
        String title = Main.class.getPackage().getImplementationTitle();
        this.product = title != null && title.endsWith("-oc") ? "Operations Center" : "Client Controller";
    }

    /** True where a path is one of these pages, which has then been answered. */
    boolean handle(HttpExchange exchange) throws IOException {
        String path = exchange.getRequestURI().getPath().replaceFirst("(?<=.)/$", "");
        boolean post = exchange.getRequestMethod().equals("POST");
        String who = who(exchange);
        if (path.equals("/whoAmI")) {
            html(exchange, "<html><body id=\"jenkins\"><h1>Who Am I?</h1><p>Name: " + (who.isEmpty() ? "anonymous" : who)
                    + "</p><footer>CloudBees CI (" + product + ") 2.426.3.3</footer></body></html>");
        } else if (path.equals("/crumbIssuer/api/json")) {
            String session = Long.toHexString(random.nextLong());
            crumbs.put(session, Long.toHexString(random.nextLong()));
            exchange.getResponseHeaders().add("Set-Cookie", "JSESSIONID=" + session + "; Path=/; HttpOnly");
            Jenkins.answer(exchange, 200, "application/json", "{\"crumb\":\"" + crumbs.get(session)
                    + "\",\"crumbRequestField\":\"Jenkins-Crumb\"}");
        } else if (path.equals("/manage/configure") || path.equals("/configure")) {
            guarded(exchange, who, "reader", "hudson.model.Hudson.SystemRead", () -> html(exchange, configure(who)));
        } else if (path.matches("/(core-casc-export|core-casc-export/jenkins\\.yaml)")) {
            guarded(exchange, who, "admin", "com.cloudbees.jenkins.plugins.casc.permissions.CasC.Administer",
                    () -> Jenkins.answer(exchange, 200, "text/yaml", path.endsWith(".yaml") ? export() : "--- # bundle.yaml\n"
                            + "apiVersion: \"1\"\nid: \"exported\"\n--- # jenkins.yaml\n" + export()));
        } else if (path.matches("(/manage)?/configuration-as-code/export")) {
            if (!post) {
                Jenkins.answer(exchange, 405, "text/html", "Method Not Allowed: POST is required");
            } else {
                guarded(exchange, who, "reader", "hudson.model.Hudson.SystemRead",
                        () -> Jenkins.answer(exchange, 200, "application/x-yaml", export()));
            }
        } else if (path.equals("/manage/configSubmit") || path.equals("/configSubmit")) {
            // Nothing of ours may ever come here.
            Files.writeString(home.resolve("standin-form-was-posted"), who + "\n");
            Jenkins.answer(exchange, 400, "text/html", "a part of a form");
        } else if (path.startsWith("/descriptor/" + CLOUDBEES + "/help/")) {
            html(exchange, "<div><p>Sends telemetry and metrics to CloudBees. <a href=\"/descriptor/" + CLOUDBEES
                    + "/details\">see details</a> of what is sent, and our <a href=\"https://www.example.com/privacy\">privacy "
                    + "policy</a>.</p></div>");
        } else if (path.startsWith("/descriptor/" + CORE + "/help/")) {
            html(exchange, "<div>For any project, it's <a href=\"https://www.example.com/usage\">critical</a> to know.</div>");
        } else if (path.equals("/descriptor/" + CLOUDBEES + "/details")) {
            guarded(exchange, who, "reader", "hudson.model.Hudson.Read", () -> html(exchange, events()));
        } else {
            return false;
        }
        return true;
    }

    private interface Answer {
        void give() throws IOException;
    }

    /** "admin", "session" (by a password), "reader", "nobody"; empty for anonymous, "wrong" for a bad token. */
    private String who(HttpExchange exchange) {
        String given = exchange.getRequestHeaders().getFirst("Authorization");
        if (given == null) {
            return "";
        }
        String[][] known = {{"standin-token", "admin"}, {"standin-password", "session"}, {"standin-reader", "reader"},
            {"standin-nobody", "nobody"}};
        for (String[] one : known) {
            String token = Jenkins.read(home, one[0]);
            if (token != null && given.equals("Basic " + Base64.getEncoder().encodeToString(
                    token.trim().getBytes(StandardCharsets.UTF_8)))) {
                return one[1];
            }
        }
        return "wrong";
    }

    private void guarded(HttpExchange exchange, String who, String least, String permission, Answer answer)
            throws IOException {
        boolean admin = who.equals("admin") || who.equals("session");
        if (who.equals("wrong")) {
            exchange.getResponseHeaders().set("WWW-Authenticate", "Basic realm=\"Jenkins\"");
            Jenkins.answer(exchange, 401, "text/html", "Invalid password/token for user");
        } else if (who.isEmpty() && markup().equals("login")) {
            exchange.getResponseHeaders().set("Location", "/login?from=" + exchange.getRequestURI().getPath());
            Jenkins.answer(exchange, 302, "text/html", "");
        } else if (who.isEmpty()) {
            Jenkins.answer(exchange, 403, "text/html", "<html><head><meta http-equiv='refresh' content='1;url=/login?from=%2F'/>"
                    + "</head><body>Authentication required</body></html>");
        } else if (!admin && !who.equals(least)) {
            exchange.getResponseHeaders().set("X-You-Are-Authenticated-As", who);
            exchange.getResponseHeaders().set("X-Required-Permission", permission);
            Jenkins.answer(exchange, 403, "text/html", "Access Denied: " + who + " is missing a permission");
        } else if (exchange.getRequestMethod().equals("POST") && who.equals("session") && !hasCrumb(exchange)) {
            Jenkins.answer(exchange, 403, "text/html", "No valid crumb was included in the request");
        } else {
            answer.give();
        }
    }

    private boolean hasCrumb(HttpExchange exchange) {
        String cookie = exchange.getRequestHeaders().getFirst("Cookie");
        Matcher session = Pattern.compile("JSESSIONID=([0-9a-f]+)").matcher(cookie == null ? "" : cookie);
        String crumb = session.find() ? crumbs.get(session.group(1)) : null;
        return crumb != null && crumb.equals(exchange.getRequestHeaders().getFirst("Jenkins-Crumb"));
    }

    private String markup() {
        String text = Jenkins.read(home, "standin-markup");
        return text == null ? "modern" : text.trim();
    }

    boolean isStarting() {
        return markup().equals("starting");
    }

    private boolean isOn() {
        String text = Jenkins.read(home, "standin-toggle");
        if (text != null) {
            return Boolean.parseBoolean(text.trim());
        }
        return on;
    }

    /** What the checkbox is from now on, as core's descriptors do it: its file is read, then what is declared is set and saved. */
    private boolean started() {
        String own = Jenkins.read(home, CLOUDBEES + ".xml");
        String declared = declared();
        Matcher value = Pattern.compile("(?m)^ *usageStatisticsCollected: *['\"]?(\\w+)").matcher(declared == null ? "" : declared);
        if (!value.find()) {
            return own == null || !own.contains("<usageStatisticsCollected>false</");
        }
        boolean said = value.group(1).matches("(?i)true|yes|y|on|1");
        try {
            Files.writeString(home.resolve(CLOUDBEES + ".xml"), "<?xml version='1.1' encoding='UTF-8'?>\n<" + CLOUDBEES
                    + ">\n  <usageStatisticsCollected>" + said + "</usageStatisticsCollected>\n</" + CLOUDBEES + ">");
        } catch (IOException e) {
            System.out.println("WARNING the checkbox could not be saved: " + e.getMessage());
        }
        return said;
    }

    private String declared() {
        String bundle = System.getProperty("core.casc.config.bundle");
        Path folder = bundle != null ? Paths.get(bundle) : home == null ? null : home.resolve("core-casc-bundle");
        String text = folder == null ? null : Jenkins.read(folder, "jenkins.yaml");
        String config = System.getProperty("casc.jenkins.config", System.getenv("CASC_JENKINS_CONFIG"));
        if (text == null && config != null) {
            text = Jenkins.read(Paths.get(config).getParent(), Paths.get(config).getFileName().toString());
        }
        return text != null || home == null ? text : Jenkins.read(home, "jenkins.yaml");
    }

    private String export() {
        return "credentials:\n  system:\n    domainCredentials:\n    - credentials:\n      - string:\n          id: \"" + GRANT + "\"\n"
                + "          secret: \"" + CREDENTIAL + "\"\n"
                + "jenkins:\n  noUsageStatistics: true\n  systemMessage: \"a: {b\"\n"
                + "license:\n  key: \"" + KEY + "\"\n"
                + "unclassified:\n  usageStatisticsCloudBees:\n    disabledJenkinsUsageStatistics: true\n"
                + "    usageStatisticsCollected: " + isOn() + "\n";
    }

    private String events() {
        String lines = Jenkins.read(home, "standin-events");
        StringBuilder rows = new StringBuilder();
        for (String line : (lines == null ? "standin.start\tThe instance was started\nstandin.stop\tIt was stopped" : lines).split("\n")) {
            String[] parts = line.split("\t", 2);
            rows.append("<tr><td>").append(parts[0]).append("</td><td>").append(parts.length > 1 ? parts[1] : "").append("</td></tr>");
        }
        return "<html><body id=\"jenkins\"><h1>What is sent</h1><table><thead><tr><th>Event</th><th>Description</th></tr></thead><tbody>"
                + rows + "</tbody></table></body></html>";
    }

    private String configure(String who) {
        String markup = markup();
        boolean readOnly = markup.equals("read-only") || who.equals("reader");
        StringBuilder page = new StringBuilder("<html><body id=\"jenkins\" class=\"yui-skin-sam two-column jenkins-2.426.3\">"
                + "<form action=\"configSubmit\" method=\"post\" name=\"config\" class=\"jenkins-form\">");
        page.append(markup.equals("core-off")
                ? block(CORE, "<div class=\"jenkins-not-applicable jenkins-description\">Usage statistics are disabled</div>")
                : block(CORE, checkbox(CORE, 1, "true".equals(trimmed("standin-core")), readOnly, markup,
                        "Help make Jenkins better by sending anonymous usage statistics and crash reports to the Jenkins project")));
        String label = markup.equals("german") ? "Daten und Metriken senden"
                : "Help make CloudBees CI better by sending telemetry and metrics to evaluate patterns of usage";
        for (int number = 2; number < (markup.equals("none") ? 2 : markup.equals("two") ? 4 : 3); number++) {
            page.append(block(CLOUDBEES, checkbox(CLOUDBEES, number, isOn(), readOnly, markup, label)));
        }
        return page.append("</form><!-- <input type=\"checkbox\" name=\"_.usageStatisticsCollected\"> --></body></html>").toString();
    }

    private String trimmed(String name) {
        String text = Jenkins.read(home, name);
        return text == null ? "" : text.trim();
    }

    private static String block(String type, String inner) {
        return "<div class=\"row-set-start row-group-start tr\" style=\"display:none\" name=\"" + type.replace('.', '-') + "\"></div>\n"
                + "<section class=\"jenkins-section\"><div class=\"jenkins-section__title\">Usage Statistics</div>" + inner
                + "</section><div class=\"row-set-end row-group-end tr\"></div>\n";
    }

    private static String checkbox(String type, int id, boolean on, boolean readOnly, String markup, String label) {
        String input = "<input type=\"checkbox\" name=\"_.usageStatisticsCollected\"" + (on ? " checked=\"true\"" : "")
                + (readOnly ? " disabled=\"true\"" : "") + " id=\"cb" + id + "\" class=\"optional-block-control block-control\">";
        String help = "<a href=\"#\" class=\"jenkins-help-button\" helpURL=\"/descriptor/" + type
                + "/help/usageStatisticsCollected\"><span>?</span></a>";
        if (markup.equals("tables")) {
            return "<table><tr class=\"optional-block-start row-set-start\" hasHelp=\"true\"><td>" + input
                    + "</td><td><label class=\"attach-previous\">" + label + "</label></td><td class=\"setting-help\">" + help
                    + "</td></tr><tr class=\"help-area\"><td></td></tr></table>";
        }
        String both = input + "<label for=\"cb" + id + "\" class=\"attach-previous \">" + label + "</label>";
        return "<div class=\"jenkins-form-item optionalBlock-container\"><div class=\"optional-block-start row-set-start tr\""
                + " hasHelp=\"true\"><div class=\"setting-main help-sibling\">"
                + (markup.equals("no-span") ? both : "<span class=\"jenkins-checkbox\">" + both + "</span>") + help
                + "</div></div><div class=\"help-area tr\"><div class=\"help\"></div></div></div>";
    }

    private static void html(HttpExchange exchange, String text) throws IOException {
        Jenkins.answer(exchange, 200, "text/html", text);
    }
}
