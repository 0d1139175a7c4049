// Command standalone serves a simulated AWS without a cluster, for clients that only speak to AWS. It prints its
// address and ends when its input does, so that it never outlives whoever started it.
package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dovetail-sh/dovetail/awssim"
)

// floor is the least time of an answer; see awssim.Options.
const floor = 5 * time.Millisecond

func main() {
	server, err := awssim.New(awssim.Options{
		Seed: 1, Floor: floor, ClusterEndpoint: "https://127.0.0.1:6443", ClusterCA: []byte("simulated"),
	})
	if err != nil {
		fmt.Fprintf(os.Stderr, "standalone: %v\n", err)
		os.Exit(1)
	}
	fmt.Println(server.URL())
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		fmt.Fprintf(os.Stderr, "standalone: waiting for the end: %v\n", err)
	}
	if err := server.Close(); err != nil {
		fmt.Fprintf(os.Stderr, "standalone: stopping: %v\n", err)
		os.Exit(1)
	}
}
