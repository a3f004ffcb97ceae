// A stand-in for the telemetry sender of CloudBees CI: not the product's code, only its observable behaviour.
// It posts to Segment at start and then regularly, unless the one property that the product documents says no.
package com.cloudbees.analytics.gatherer;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.InetAddress;
import java.net.URL;
import java.nio.charset.StandardCharsets;

public final class Sender implements Runnable {
    private static final String ENDPOINT = "https://api.segment.io/v1/batch";

    private final String product;

    public Sender(String product) {
        this.product = product;
    }

    /** Only "true", in any case, disables: that is what Boolean.getBoolean makes of a property. */
    public static boolean isDisabled() {
        return Boolean.getBoolean(Sender.class.getName() + ".disabled");
    }

    @Override
    public void run() {
        // Its name must not start like the flag's: whoever greps for the flag should find the flag alone.
        long period = Long.getLong("standin.event.period.ms", 2000L);
        boolean failing = false;
        for (long sequence = 1; !Thread.currentThread().isInterrupted(); sequence++) {
            try {
                int status = post(sequence);
                if (sequence == 1 || failing) {
                    System.out.println("telemetry: " + ENDPOINT + " answers " + status);
                }
                failing = false;
            } catch (IOException e) {
                // Segment may be out of reach for hours. Say so once and keep trying.
                if (!failing) {
                    System.out.println("telemetry: " + e);
                }
                failing = true;
            }
            try {
                Thread.sleep(period);
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    private int post(long sequence) throws IOException {
        String event = String.format("{\"type\":\"track\",\"event\":\"standin\",\"host\":\"%s\",\"product\":\"%s\",\"sequence\":%d}",
                InetAddress.getLocalHost().getHostName(), product, sequence);
        HttpURLConnection connection = (HttpURLConnection) new URL(ENDPOINT).openConnection();
        connection.setConnectTimeout(2000);
        connection.setReadTimeout(2000);
        connection.setRequestMethod("POST");
        connection.setRequestProperty("Content-Type", "application/json");
        connection.setDoOutput(true);
        try (OutputStream out = connection.getOutputStream()) {
            out.write(("{\"batch\":[" + event + "]}").getBytes(StandardCharsets.UTF_8));
        }
        int status = connection.getResponseCode();
        // Read the answer to its end, so that the connection is used again: a TLS handshake per event would be
        // most of the fleet's CPU time.
        InputStream answer = status < 400 ? connection.getInputStream() : connection.getErrorStream();
        if (answer != null) {
            try (InputStream in = answer) {
                in.readAllBytes();
            }
        }
        return status;
    }
}
