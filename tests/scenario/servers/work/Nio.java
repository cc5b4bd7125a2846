// SPDX-License-Identifier: MIT
// servers/work/Nio.java - the server of work/README with a selector, as Netty and Tomcat have one

import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.Iterator;

public class Nio {
	static volatile int burned;
	static volatile boolean told;

	/** One connection; an answer to /slow is due later. */
	static class Client {
		final StringBuilder request = new StringBuilder();
		ByteBuffer answer;
		long due;
	}

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

	static void read(SelectionKey key, String say) throws Exception {
		Client client = (Client) key.attachment();
		SocketChannel channel = (SocketChannel) key.channel();
		ByteBuffer buffer = ByteBuffer.allocate(2048);
		if (channel.read(buffer) < 0) {
			channel.close();
			return;
		}
		client.request.append(StandardCharsets.US_ASCII.decode(buffer.flip()));
		if (client.request.indexOf("\r\n\r\n") < 0)
			return;
		String path = client.request.toString().split(" ")[1];
		if (path.equals("/busy"))
			burn();
		if (path.equals("/slow"))
			client.due = System.nanoTime() + 300_000_000L;
		int port = ((InetSocketAddress) channel.getLocalAddress()).getPort();
		String text = String.format(
			"{\"server\":\"nio\",\"pid\":%d,\"worker\":%d,\"instance\":%d,\"port\":%d,\"say\":\"%s\"}",
			ProcessHandle.current().pid(), number("BERTH_WORKER"), number("BERTH_INSTANCE"), port, say);
		client.answer = ByteBuffer.wrap(("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
			+ "Content-Length: " + text.length() + "\r\n\r\n" + text).getBytes(StandardCharsets.US_ASCII));
		key.interestOps(0);
	}

	/** Whatever is due is sent; the milliseconds until the next of it, 0 for none. */
	static long send(Selector selector) throws Exception {
		long next = 0;
		for (SelectionKey key : selector.keys()) {
			Client client = (Client) key.attachment();
			if (!key.isValid() || client == null || client.answer == null)
				continue;
			long left = client.due == 0 ? 0 : (client.due - System.nanoTime()) / 1_000_000;
			if (left > 0) {
				next = next == 0 ? left : Math.min(next, left);
				continue;
			}
			try {
				((SocketChannel) key.channel()).write(client.answer);
			} catch (java.io.IOException gone) {
				client.answer.position(client.answer.limit());
			}
			if (!client.answer.hasRemaining())
				key.channel().close();
			else
				next = 1;
		}
		return next;
	}

	public static void main(String[] arguments) throws Exception {
		Thread.sleep(number("START_DELAY_MS"));
		String say = arguments.length > 0 ? arguments[0] : "";
		Selector selector = Selector.open();
		ServerSocketChannel server = ServerSocketChannel.open();
		server.bind(new InetSocketAddress(number("PORT") == 0 ? 5000 : number("PORT")));
		server.configureBlocking(false);
		server.register(selector, SelectionKey.OP_ACCEPT);
		sun.misc.Signal.handle(new sun.misc.Signal("TERM"), signal -> {
			told = true;
			selector.wakeup();
		});
		for (long next = 0;;) {
			selector.select(next);
			if (told && server.isOpen())
				server.close();
			Iterator<SelectionKey> selected = selector.selectedKeys().iterator();
			while (selected.hasNext()) {
				SelectionKey key = selected.next();
				selected.remove();
				if (!key.isValid())
					continue;
				try {
					if (key.isAcceptable()) {
						SocketChannel channel = server.accept();
						if (channel == null)
							continue;
						channel.configureBlocking(false);
						channel.register(selector, SelectionKey.OP_READ, new Client());
					} else if (key.isReadable()) {
						read(key, say);
					}
				} catch (java.io.IOException gone) {
					key.channel().close();
				}
			}
			next = send(selector);
			selector.selectNow();
			if (told && selector.keys().isEmpty())
				System.exit(0);
		}
	}
}
