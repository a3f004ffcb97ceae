// As much of the servlet API as the stand-in is compiled against; not part of the war.
package jakarta.servlet;

public class ServletContextEvent {
}
