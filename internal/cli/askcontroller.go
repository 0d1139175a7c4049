package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"

	"github.com/dovetail-sh/dovetail/internal/known"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// controllerFlags are where the running controller is asked.
type controllerFlags struct {
	address string
	token   string // a file
}

func (c *controllerFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.address, "controller", "",
		"ask the running controller besides, at this `address`: that of its metrics, such as a port-forward's")
	cmd.Flags().StringVar(&c.token, "controller-token", "",
		"`file` with the token that it is asked with (default that of the kubeconfig)")
}

// notAsked is what is to be said of an answer that the controller has no part in, with the way to it: which pod it is
// and where it listens, as far as that can be seen.
func notAsked(set *manifest.Set) string {
	at, port := "-n kube-system deployment/karpenter", int32(usualPort)
	for _, pod := range set.Pods {
		if pod.Labels["app.kubernetes.io/name"] != "karpenter" || pod.Status.Phase != corev1.PodRunning {
			continue
		}
		at, port = fmt.Sprintf("-n %s pod/%s", pod.Namespace, pod.Name), metricsPort(&pod.Spec)
		break
	}
	return fmt.Sprintf("planned here with built-in prices; what the cloud has none of now, and what comes next, "+
		"only the controller knows: kubectl port-forward %s 8080:%d, and --controller http://127.0.0.1:8080", at, port)
}

// usualPort is where the chart has the controller's metrics.
const usualPort = 8080

// metricsPort is where a controller's pod says that its metrics are.
func metricsPort(spec *corev1.PodSpec) int32 {
	for i := range spec.Containers {
		for _, p := range spec.Containers[i].Ports {
			if p.Name == "http-metrics" {
				return p.ContainerPort
			}
		}
	}
	return usualPort
}

// mostKnown bounds what is read of an answer.
const mostKnown = 16 << 20

// known asks the controller; nil and a note if it does not know what is asked.
func (c *controllerFlags) known(ctx context.Context, kube *rest.Config, what, name string) (*view.Known, string,
	error) {
	base, err := url.Parse(c.address)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, "", usage("--controller %q is no address; want one such as http://127.0.0.1:8080", c.address)
	}
	as, err := c.wrapped(kube)
	if err != nil {
		return nil, "", err
	}
	base.Path = known.Prefix + what
	base.RawQuery = url.Values{"name": {name}}.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base.String(), http.NoBody)
	if err != nil {
		return nil, "", err
	}
	response, err := (&http.Client{Transport: as}).Do(request)
	if err != nil {
		return nil, "", fmt.Errorf("asking the controller: %w; is it there? --timeout allows more", told{err})
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, mostKnown))
	if err != nil {
		return nil, "", fmt.Errorf("asking the controller: %w", err)
	}
	note, err := c.heard(response, oneLine(errors.New(string(text[:min(len(text), 1024)]))))
	if note != "" || err != nil {
		return nil, note, err
	}
	var out view.Known
	if err := json.Unmarshal(text, &out); err != nil || out.Kind != "Known" {
		return nil, "", fmt.Errorf("%s is no Dovetail: it answers something else", c.address)
	}
	return &out, "", nil
}

// heard is what to make of an answer that is no knowledge: a note, or an error with the way out.
func (c *controllerFlags) heard(response *http.Response, said string) (note string, err error) {
	switch {
	case response.StatusCode == http.StatusOK:
		return "", nil
	case response.StatusCode == http.StatusNotFound && strings.HasPrefix(said, known.Nothing):
		return said, nil
	case response.StatusCode == http.StatusNotFound:
		return "", fmt.Errorf("%s is not where the controller has its metrics: %s", c.address, response.Status)
	case response.StatusCode == http.StatusUnauthorized:
		return "", fmt.Errorf("asking the controller: %s: %s > FILE, and give it with --controller-token FILE",
			response.Status, said)
	}
	return "", fmt.Errorf("asking the controller: %s: %s", response.Status, said)
}

// wrapped sends what proves to the API server who its user is, as far as that is a token.
func (c *controllerFlags) wrapped(kube *rest.Config) (http.RoundTripper, error) {
	as := rest.CopyConfig(kube)
	if c.token != "" {
		text, err := os.ReadFile(c.token)
		if err != nil {
			return nil, usage("reading --controller-token: %w", err)
		}
		as = &rest.Config{BearerToken: strings.TrimSpace(string(text))}
	}
	out, err := rest.HTTPWrappersForConfig(as, http.DefaultTransport)
	if err != nil {
		return nil, fmt.Errorf("preparing to ask the controller: %w", err)
	}
	return out, nil
}
