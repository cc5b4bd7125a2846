// SPDX-License-Identifier: MIT
// servers/go/main.go - a Go server with a hard-coded port, linked statically
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
)

func main() {
	say := ""
	if len(os.Args) > 1 {
		say = os.Args[1]
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		address := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
		fmt.Fprintf(w, `{"server":"go","port":%d,"say":%q}`, address.Port, say)
	})
	log.Fatal(http.ListenAndServe(":5000", nil))
}
