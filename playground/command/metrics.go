package command

import (
	"context"
	"embed"
	"encoding/base64"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/dovetail-sh/dovetail/playground/bundle"
	"github.com/dovetail-sh/dovetail/playground/cluster"
)

// metricsService is where the API server looks for the metrics API: the Service's address in the manifest.
const metricsService = "10.100.0.20:443"

//go:embed manifests/metrics-server.yaml
var metricsManifest embed.FS

// metricsServer is the real one. It reads what kwok's kubelets say that pods use: what their annotations
// kwok.x-k8s.io/usage-cpu and -memory say, or next to nothing.
func metricsServer() cluster.Program {
	return cluster.Program{
		Name: withMetrics, Args: metricsArgs, ServingNames: []string{"metrics-server.kube-system.svc"},
		Env: func(c *cluster.Cluster) []string {
			// Kubelets are behind the proxy, the API server is not.
			return []string{"HTTPS_PROXY=" + c.Egress.URL(), "NO_PROXY=127.0.0.1"}
		},
		Healthy: func(c *cluster.Cluster) string { return "https://" + addressOf(c, withMetrics) + "/livez" },
	}
}

func metricsArgs(ctx context.Context, c *cluster.Cluster) ([]string, error) {
	address, err := c.Address(withMetrics)
	if err != nil {
		return nil, err
	}
	c.Egress.Route(metricsService, address)
	if err := applyMetrics(ctx, c); err != nil {
		return nil, err
	}
	kubeconfig, err := c.KubeconfigOf("system:serviceaccount:kube-system:metrics-server")
	if err != nil {
		return nil, err
	}
	pki := filepath.Join(c.Dir(), "pki", withMetrics)
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	return []string{
		withMetrics,
		"--bind-address=" + host,
		"--secure-port=" + port,
		"--tls-cert-file=" + pki + ".crt",
		"--tls-private-key-file=" + pki + ".key",
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--kubelet-insecure-tls",
		"--kubelet-use-node-status-port",
		"--kubelet-preferred-address-types=InternalIP,Hostname",
		"--metric-resolution=15s",
	}, nil
}

// applyMetrics registers the metrics API and gives the server its rights.
func applyMetrics(ctx context.Context, c *cluster.Cluster) error {
	authority, err := os.ReadFile(c.Authority())
	if err != nil {
		return err
	}
	host, _, _ := strings.Cut(metricsService, ":")
	objects, err := bundle.Load(metricsManifest, "manifests/metrics-server.yaml", map[string]string{
		"AUTHORITY": base64.StdEncoding.EncodeToString(authority), "ADDRESS": host,
	})
	if err != nil {
		return err
	}
	admin, err := adminClient(c.Kubeconfig())
	if err != nil {
		return err
	}
	return bundle.Apply(ctx, admin, "playground", objects)
}
