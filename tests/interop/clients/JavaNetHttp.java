// java.net.http.WebSocket of the JDK against the server: java JavaNetHttp.java URL

import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

public class JavaNetHttp {
    static final String TEXT = "naïve – 漢字 – 😀";
    static final String REASON = "enough, danke schön";

    interface Step {
        void run() throws Exception;
    }

    /** What the server sent, in order: a String, a byte[], a Pong or a Close. */
    record Pong(String payload) {}
    record Close(int code, String reason) {}

    static class Client implements WebSocket.Listener {
        final BlockingQueue<Object> seen = new LinkedBlockingQueue<>();
        final StringBuilder text = new StringBuilder();
        final ByteArrayOutputStream binary = new ByteArrayOutputStream();
        final WebSocket socket;

        Client(URI url) throws Exception {
            socket = wait(HttpClient.newHttpClient().newWebSocketBuilder().buildAsync(url, this));
        }

        static <T> T wait(CompletableFuture<T> future) throws Exception {
            return future.get(20, TimeUnit.SECONDS);
        }

        Object next() throws Exception {
            Object next = seen.poll(20, TimeUnit.SECONDS);
            return next == null ? "nothing within 20 s" : next;
        }

        void send(String message) throws Exception {
            wait(socket.sendText(message, true));
        }

        Object close(int code, String reason) throws Exception {
            wait(socket.sendClose(code, reason));
            return next();
        }

        @Override
        public CompletionStage<?> onText(WebSocket socket, CharSequence data, boolean last) {
            text.append(data);
            if (last) {
                seen.add(text.toString());
                text.setLength(0);
            }
            socket.request(1);
            return null;
        }

        @Override
        public CompletionStage<?> onBinary(WebSocket socket, ByteBuffer data, boolean last) {
            byte[] part = new byte[data.remaining()];
            data.get(part);
            binary.writeBytes(part);
            if (last) {
                seen.add(binary.toByteArray());
                binary.reset();
            }
            socket.request(1);
            return null;
        }

        @Override
        public CompletionStage<?> onPong(WebSocket socket, ByteBuffer payload) {
            seen.add(new Pong(new String(bytes(payload))));
            socket.request(1);
            return null;
        }

        @Override
        public CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
            // Fails where this end has sent its Close before; told only now, so that the program does not end before its answer left.
            return socket.sendClose(code, "").whenComplete((sent, error) -> seen.add(new Close(code, reason)));
        }

        @Override
        public void onError(WebSocket socket, Throwable error) {
            seen.add(error);
        }

        static byte[] bytes(ByteBuffer buffer) {
            byte[] bytes = new byte[buffer.remaining()];
            buffer.get(bytes);
            return bytes;
        }
    }

    static URI url;
    static boolean failed;

    static void check(String name, Step step) {
        try {
            step.run();
            System.out.println("ok   " + name);
        } catch (Exception | AssertionError error) {
            failed = true;
            System.out.println("FAIL " + name + ": " + error);
        }
    }

    static void same(Object seen, Object wanted) {
        boolean same = seen instanceof byte[] a && wanted instanceof byte[] b ? Arrays.equals(a, b) : seen.equals(wanted);
        if (!same) throw new AssertionError(tell(seen) + " instead of " + tell(wanted));
    }

    static String tell(Object value) {
        return value instanceof byte[] bytes ? bytes.length + " bytes" : value.toString();
    }

    static void binaryComesBack(int length) throws Exception {
        byte[] data = new byte[length];
        for (int i = 0; i < length; i++) data[i] = (byte) (i * 31 % 251);
        Client client = new Client(url);
        Client.wait(client.socket.sendBinary(ByteBuffer.wrap(data), true));
        same(client.next(), data);
        client.close(1000, "");
    }

    public static void main(String[] args) {
        url = URI.create(args[0]);
        System.out.println("java.net.http of Java " + System.getProperty("java.version"));
        check("text", () -> {
            Client client = new Client(url);
            client.send(TEXT);
            same(client.next(), TEXT);
            client.close(1000, "");
        });
        check("binary 64 KiB", () -> binaryComesBack(64 << 10));
        check("binary 1 MiB", () -> binaryComesBack(1 << 20));
        check("fragments", () -> {
            Client client = new Client(url);
            Client.wait(client.socket.sendText(TEXT.substring(0, 4), false));
            Client.wait(client.socket.sendText("", false));
            Client.wait(client.socket.sendText(TEXT.substring(4), true));
            same(client.next(), TEXT);
            client.close(1000, "");
        });
        check("ping", () -> {
            Client client = new Client(url);
            Client.wait(client.socket.sendPing(ByteBuffer.wrap("are you there".getBytes())));
            same(client.next(), new Pong("are you there"));
            client.close(1000, "");
        });
        // wshub answers with the code alone.
        check("client closes", () -> same(new Client(url).close(1000, "bye"), new Close(1000, "")));
        for (int code : new int[] {1000, 3000, 4999}) {
            check("server closes " + code, () -> {
                Client client = new Client(url.resolve("/close/" + code));
                client.send(REASON);
                same(client.next(), new Close(code, REASON));
            });
        }
        System.exit(failed ? 1 : 0);
    }
}
