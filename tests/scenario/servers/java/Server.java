// SPDX-License-Identifier: MIT
// servers/java/Server.java - the HTTP server of the JDK with a hard-coded port

import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;

public class Server {
	public static void main(String[] arguments) throws Exception {
		String say = arguments.length > 0 ? arguments[0] : "";
		HttpServer server = HttpServer.create(new InetSocketAddress(5000), 0);
		server.createContext("/", exchange -> {
			int port = exchange.getLocalAddress().getPort();
			byte[] text = ("{\"server\":\"java\",\"port\":" + port + ",\"say\":\"" + say + "\"}").getBytes();
			exchange.sendResponseHeaders(200, text.length);
			exchange.getResponseBody().write(text);
			exchange.close();
		});
		server.start();
	}
}
