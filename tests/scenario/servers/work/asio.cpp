/* SPDX-License-Identifier: MIT */
/* servers/work/asio.cpp - the server of work/README with Asio, which registers its socket in epoll before bind() */
#include <asio.hpp>
#include <chrono>
#include <csignal>
#include <memory>
#include <string>

#include "work.h"

using asio::ip::tcp;

static std::string say;

struct client : std::enable_shared_from_this<client> {
	explicit client(tcp::socket accepted)
	    : socket(std::move(accepted)), timer(socket.get_executor())
	{
	}

	void start()
	{
		auto self = shared_from_this();

		asio::async_read_until(socket, asio::dynamic_buffer(request), "\r\n\r\n",
				       [self](asio::error_code error, std::size_t) {
					       if (!error)
						       self->answer();
				       });
	}

	void answer()
	{
		auto self = shared_from_this();

		if (work_is(request.c_str(), "/busy "))
			work_burn();
		if (work_is(request.c_str(), "/slow "))
			timer.expires_after(std::chrono::milliseconds(WORK_SLOW_MS));
		else
			timer.expires_after(std::chrono::milliseconds(0));
		timer.async_wait([self](asio::error_code) { self->send(); });
	}

	void send()
	{
		auto self = shared_from_this();
		std::size_t len = work_answer(text, "asio", socket.native_handle(), say.c_str());

		asio::async_write(socket, asio::buffer(text, len),
				  [self](asio::error_code, std::size_t) {});
	}

	tcp::socket socket;
	asio::steady_timer timer;
	std::string request;
	char text[WORK_ANSWER_MAX];
};

static void accept_next(tcp::acceptor &acceptor)
{
	acceptor.async_accept([&acceptor](asio::error_code error, tcp::socket socket) {
		if (!error)
			std::make_shared<client>(std::move(socket))->start();
		if (acceptor.is_open())
			accept_next(acceptor);
	});
}

int main(int argc, char **argv)
{
	work_delay();
	say = argc > 1 ? argv[1] : "";
	asio::io_context context(1);
	tcp::acceptor acceptor(context,
			       tcp::endpoint(tcp::v4(), static_cast<unsigned short>(work_port())));
	asio::signal_set signals(context, SIGTERM);

	signals.async_wait([&acceptor](asio::error_code, int) { acceptor.close(); });
	accept_next(acceptor);
	context.run();
	return 0;
}
