// Starts the stand-in's sender where a servlet container runs the war.
package executable;

import com.cloudbees.analytics.gatherer.Sender;
import jakarta.servlet.ServletContextEvent;
import jakarta.servlet.ServletContextListener;

public final class Listener implements ServletContextListener {
    private Thread sender;

    @Override
    public void contextInitialized(ServletContextEvent event) {
        if (!Sender.isDisabled()) {
            sender = new Thread(new Sender("in a servlet container"), "telemetry-sender");
            sender.setDaemon(true);
            sender.start();
        }
    }

    @Override
    public void contextDestroyed(ServletContextEvent event) {
        if (sender != null) {
            sender.interrupt();
        }
    }
}
