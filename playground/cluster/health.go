package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// prober asks the parts for their health as the administrator.
type prober struct {
	client *http.Client
}

func newProber(a *authority) (*prober, error) {
	admin, err := a.user("admin", "system:masters")
	if err != nil {
		return nil, err
	}
	certificate, err := tls.X509KeyPair(admin.certificate, admin.key)
	if err != nil {
		return nil, fmt.Errorf("loading the administrator's certificate: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.certificate)
	return &prober{client: &http.Client{
		Timeout: 2 * time.Second,
		Transport: &http.Transport{
			// No proxy: everything is on loopback.
			TLSClientConfig: &tls.Config{
				RootCAs: roots, Certificates: []tls.Certificate{certificate},
				// The scheduler and the controller manager sign their own serving
				// certificates; a health question to loopback gives nothing away.
				InsecureSkipVerify: true, // see above
			},
		},
	}}, nil
}

// get returns a question for child.await: does url answer 200?
func (p *prober) get(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return fmt.Errorf("asking %s: %w", url, err)
		}
		response, err := p.client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close() // it was only read
		if response.StatusCode == http.StatusOK {
			return nil
		}
		body, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
		if err != nil {
			return fmt.Errorf("reading the answer of %s: %w", url, err)
		}
		return fmt.Errorf("%s: %s: %s", url, response.Status, strings.TrimSpace(string(body)))
	}
}

// close ends idle connections, which would make a server that drains wait.
func (p *prober) close() { p.client.CloseIdleConnections() }

// lastLines returns the end of a log as an indented block, to go below an error.
func lastLines(path string) string {
	const lines, bytes = 8, 4 << 10
	data, err := os.ReadFile(path)
	if err != nil || len(data) == 0 {
		return ""
	}
	if len(data) > bytes {
		data = data[len(data)-bytes:]
	}
	all := strings.Split(strings.TrimSpace(string(data)), "\n")
	if len(all) > lines {
		all = all[len(all)-lines:]
	}
	return "\n  the end of " + path + ":\n    " + strings.Join(all, "\n    ")
}
