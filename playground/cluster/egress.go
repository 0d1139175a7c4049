package cluster

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// Egress is the proxy through which the API server reaches kubelets and Services. Addresses of nodes and Services
// lead
// nowhere here: every kubelet is kwok, and what stands behind a Service listens on loopback. The proxy knows which is
// which, and refuses everything else.
type Egress struct {
	plain  net.Listener // for programs
	secure net.Listener // for the API server, which wants TLS
	server *http.Server

	mu      sync.Mutex
	kubelet string            // where kwok listens
	routes  map[string]string // loopback addresses by "address of a Service:port"
}

// openEgress listens on two ports of loopback. Only close ends it.
func openEgress(serving pair) (*Egress, error) {
	certificate, err := tls.X509KeyPair(serving.certificate, serving.key)
	if err != nil {
		return nil, fmt.Errorf("opening the proxy to kubelets and Services: %w", err)
	}
	e := &Egress{routes: map[string]string{}}
	e.server = &http.Server{
		Handler: e, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13},
	}
	if e.plain, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("opening the proxy to kubelets and Services: %w", err)
	}
	if e.secure, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the proxy to kubelets and Services: %w", err), e.plain.Close())
	}
	go func() { _ = e.server.Serve(e.plain) }() // both end with close
	go func() { _ = e.server.ServeTLS(e.secure, "", "") }()
	return e, nil
}

func (e *Egress) close() { _ = e.server.Close() }

// URL is what programs take as their HTTP proxy to reach kubelets and routed Services.
func (e *Egress) URL() string { return "http://" + e.plain.Addr().String() }

func (e *Egress) setKubelet(address string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.kubelet = address
}

// Route leads everybody who asks for a Service's "address:port" to an address on loopback.
func (e *Egress) Route(service, address string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.routes[service] = address
}

// target is the address that stands for another one; empty if none does.
func (e *Egress) target(wanted string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if to := e.routes[wanted]; to != "" {
		return to
	}
	host, port, err := net.SplitHostPort(wanted)
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		return wanted
	}
	if _, kubelet, err := net.SplitHostPort(e.kubelet); err == nil && port == kubelet {
		return e.kubelet
	}
	return ""
}

// ServeHTTP is the CONNECT method of HTTP.
func (e *Egress) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	to := e.target(r.Host)
	if r.Method != http.MethodConnect || to == "" {
		http.Error(w, "nothing on this machine stands for "+r.Host, http.StatusForbidden)
		return
	}
	far, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(r.Context(), "tcp", to)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	near, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		_ = far.Close()
		return
	}
	if _, err := io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		_ = errors.Join(near.Close(), far.Close())
		return
	}
	join(near, buffered, far)
}

// join copies both ways until either side ends.
func join(near net.Conn, buffered io.Reader, far net.Conn) {
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(far, buffered)
		_ = far.Close()
	})
	both.Go(func() {
		_, _ = io.Copy(near, far)
		_ = near.Close()
	})
	both.Wait()
}

// egressConfig sends what the API server has for the cluster's own network through the proxy.
func (l layout) egressConfig(proxy net.Addr) string {
	return fmt.Sprintf(`apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
- name: cluster
  connection:
    proxyProtocol: HTTPConnect
    transport:
      tcp:
        url: https://%s
        tlsConfig:
          caBundle: %q
          clientCert: %q
          clientKey: %q
`, proxy, l.pki("ca.crt"), l.pki("apiserver.crt"), l.pki("apiserver.key"))
}

// writeEgress writes the API server's side of the proxy, once ports are assigned.
func (l layout) writeEgress(proxy *Egress) error {
	proxy.setKubelet(l.address(Kwok))
	text := []byte(l.egressConfig(proxy.secure.Addr()))
	if err := os.WriteFile(l.file("egress.yaml"), text, 0o600); err != nil {
		return fmt.Errorf("writing the API server's way to kubelets: %w", err)
	}
	return nil
}
