package cluster

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Kubelets and routed Services are on loopback; everything else is refused, so that nothing leaves the machine.
func TestTheProxyLeadsToLoopbackOnly(t *testing.T) {
	t.Parallel()
	e := &Egress{kubelet: "127.0.0.1:20000", routes: map[string]string{"10.100.0.20:443": "127.0.0.1:20001"}}
	for wanted, want := range map[string]string{
		"10.0.64.4:20000":                  "127.0.0.1:20000", // a node's kubelet
		"ip-10-0-64-4.ec2.internal:20000":  "127.0.0.1:20000", // by its name
		"10.100.0.20:443":                  "127.0.0.1:20001",
		"127.0.0.1:30000":                  "127.0.0.1:30000", // a webhook on this machine
		"[::1]:30000":                      "[::1]:30000",
		"10.100.0.21:443":                  "",
		"192.0.2.1:443":                    "",
		"example.com:443":                  "",
		"169.254.169.254:80":               "",
		"nonsense":                         "",
		"localhost.example.com:30000":      "",
		"10.100.0.20:80":                   "",
		"ip-10-0-64-4.ec2.internal:200000": "",
	} {
		if got := e.target(wanted); got != want {
			t.Errorf("%s leads to %q, want %q", wanted, got, want)
		}
	}
}

func TestTheProxyCarriesBothWays(t *testing.T) {
	t.Parallel()
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "hello from "+r.Host)
	}))
	defer far.Close()
	authority, err := openAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	serving, err := authority.serving("egress")
	if err != nil {
		t.Fatal(err)
	}
	e, err := openEgress(serving)
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	e.Route("10.100.0.20:443", far.Listener.Addr().String())
	if answer := through(t, e, "10.100.0.20:443"); !strings.Contains(answer, "hello from 10.100.0.20") {
		t.Errorf("through the proxy came %q", answer)
	}
	if answer := through(t, e, "192.0.2.1:443"); !strings.Contains(answer, "403 Forbidden") {
		t.Errorf("an address elsewhere is answered with %q, want a refusal", answer)
	}
}

// through asks for / at an address through the proxy, and returns all that came.
func through(t *testing.T, e *Egress, address string) string {
	t.Helper()
	conn, err := net.Dial("tcp", e.plain.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", address, address)
	reader := bufio.NewReader(conn)
	status, err := reader.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(status, "200") {
		fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: 10.100.0.20\r\nConnection: close\r\n\r\n")
		rest, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		return string(rest)
	}
	return status
}

func TestLinesAreWrittenAsAContainerRuntimeDoes(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	log := &podLog{to: &out, now: func() time.Time { return time.Unix(1, 0) }}
	for _, text := range []string{"one\ntw", "o\n", "", "unfinished"} {
		if n, err := log.Write([]byte(text)); n != len(text) || err != nil {
			t.Fatalf("Write(%q) = %d, %v", text, n, err)
		}
	}
	if want := "1970-01-01T00:00:01Z stdout F one\n1970-01-01T00:00:01Z stdout F two\n"; out.String() != want {
		t.Errorf("wrote %q, want %q", out.String(), want)
	}
}
