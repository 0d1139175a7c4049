package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"

	"github.com/dovetail-sh/dovetail/internal/known"
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

// notAsked is what is to be said of an answer that the controller has no part in.
const notAsked = "planned here with built-in prices; what the cloud has none of now, and what comes next, " +
	"only the controller knows: kubectl port-forward -n kube-system deployment/karpenter 8080, and " +
	"--controller http://127.0.0.1:8080"

// mostKnown bounds what is read of an answer.
const mostKnown = 16 << 20

// known asks the controller; nil and a note if it is not to be asked, or does not know what is asked.
func (c *controllerFlags) known(ctx context.Context, kube *rest.Config, what, name string) (*view.Known, string,
	error) {
	if c.address == "" {
		return nil, notAsked, nil
	}
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
		return nil, "", fmt.Errorf("asking the controller: %w; is it there? --timeout allows more", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, mostKnown))
	if err != nil {
		return nil, "", fmt.Errorf("asking the controller: %w", err)
	}
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return nil, strings.TrimSpace(string(text)), nil
	default:
		return nil, "", fmt.Errorf("asking the controller: %s: %s", response.Status, strings.TrimSpace(string(text)))
	}
	var out view.Known
	if err := json.Unmarshal(text, &out); err != nil || out.Kind != "Known" {
		return nil, "", fmt.Errorf("%s is no Dovetail: it answers something else", c.address)
	}
	return &out, "", nil
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
