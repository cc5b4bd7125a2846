// SPDX-License-Identifier: MIT
// servers/work/go/main.go - the server of work/README with net/http; it is linked statically
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

var burned uint32

func number(name string) int {
	value, _ := strconv.Atoi(os.Getenv(name))
	return value
}

func burn() uint32 {
	value := uint32(1)
	for i := 0; i < 1000000; i++ {
		value = value*1664525 + 1013904223
	}
	return value
}

func answer(w http.ResponseWriter, r *http.Request) {
	address := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	say := ""
	if len(os.Args) > 1 {
		say = os.Args[1]
	}
	if r.URL.Path == "/busy" {
		burned += burn()
	}
	if r.URL.Path == "/slow" {
		time.Sleep(300 * time.Millisecond)
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"server":"go","pid":%d,"worker":%d,"instance":%d,"port":%d,"say":%q}`,
		os.Getpid(), number("BERTH_WORKER"), number("BERTH_INSTANCE"), address.Port, say)
}

func main() {
	time.Sleep(time.Duration(number("START_DELAY_MS")) * time.Millisecond)
	port := number("PORT")
	if port == 0 {
		port = 5000
	}
	http.HandleFunc("/", answer)
	server := &http.Server{Addr: fmt.Sprintf(":%d", port)}
	drained := make(chan struct{})
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	go func() {
		<-told
		server.Shutdown(context.Background())
		close(drained)
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	<-drained
}
