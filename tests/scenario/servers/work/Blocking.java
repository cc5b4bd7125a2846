// SPDX-License-Identifier: MIT
// servers/work/Blocking.java - the server of work/README with ServerSocket, a thread for each connection

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

public class Blocking {
	static volatile int burned;

	static int number(String name) {
		String text = System.getenv(name);
		return text == null || text.isEmpty() ? 0 : Integer.parseInt(text);
	}

	static void burn() {
		int value = 1;
		for (int i = 0; i < 1000000; i++)
			value = value * 1664525 + 1013904223;
		burned = value;
	}

	static void serve(Socket socket, String say) {
		try (socket) {
			BufferedReader reader = new BufferedReader(new InputStreamReader(socket.getInputStream()));
			String request = reader.readLine();
			if (request == null)
				return;
			for (String line = request; line != null && !line.isEmpty();)
				line = reader.readLine();
			String path = request.split(" ")[1];
			if (path.equals("/busy"))
				burn();
			if (path.equals("/slow"))
				Thread.sleep(300);
			String text = String.format(
				"{\"server\":\"java\",\"pid\":%d,\"worker\":%d,\"instance\":%d,\"port\":%d,\"say\":\"%s\"}",
				ProcessHandle.current().pid(), number("BERTH_WORKER"), number("BERTH_INSTANCE"),
				socket.getLocalPort(), say);
			socket.getOutputStream().write(("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
				+ "Content-Length: " + text.length() + "\r\n\r\n" + text).getBytes(StandardCharsets.US_ASCII));
		} catch (java.io.IOException | InterruptedException gone) {
			return;
		}
	}

	public static void main(String[] arguments) throws Exception {
		Thread.sleep(number("START_DELAY_MS"));
		String say = arguments.length > 0 ? arguments[0] : "";
		ExecutorService threads = Executors.newCachedThreadPool();
		ServerSocket server = new ServerSocket(number("PORT") == 0 ? 5000 : number("PORT"));
		sun.misc.Signal.handle(new sun.misc.Signal("TERM"), signal -> {
			try {
				server.close();
			} catch (java.io.IOException unlikely) {
				System.exit(1);
			}
		});
		try {
			while (true) {
				Socket socket = server.accept();
				threads.execute(() -> serve(socket, say));
			}
		} catch (java.net.SocketException closed) {
			threads.shutdown();
			threads.awaitTermination(10, TimeUnit.SECONDS);
			System.exit(0);
		}
	}
}
