package control

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/fault"
)

// Path is where the API lives that AWS does not have.
const Path = "/_awssim/"

// Client speaks to the simulated AWS at one address.
type Client struct {
	address string
	http    *http.Client
}

// New makes a client of the simulated AWS at an address, the value of
// AWS_ENDPOINT_URL: "http://127.0.0.1:4566".
func New(address string) *Client {
	return &Client{strings.TrimSuffix(address, "/"), &http.Client{}}
}

// Within is a client whose answers may take so long; 0 for as long as they take.
func (c *Client) Within(timeout time.Duration) *Client {
	return &Client{c.address, &http.Client{Timeout: timeout}}
}

// Status returns a picture of the account.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var out Status
	return out, c.call(ctx, http.MethodGet, "status", nil, &out)
}

// Calls returns the API calls made so far, oldest first.
func (c *Client) Calls(ctx context.Context) ([]Call, error) {
	var out []Call
	return out, c.call(ctx, http.MethodGet, "calls", nil, &out)
}

// AddFault puts a rule in force and returns it with its id.
func (c *Client) AddFault(ctx context.Context, r fault.Rule) (fault.Rule, error) {
	var out fault.Rule
	return out, c.call(ctx, http.MethodPost, "faults", r, &out)
}

// Faults lists the rules, with how often they struck.
func (c *Client) Faults(ctx context.Context) ([]fault.Rule, error) {
	var out []fault.Rule
	return out, c.call(ctx, http.MethodGet, "faults", nil, &out)
}

// ClearFaults removes the named rules, or all when none is named.
func (c *Client) ClearFaults(ctx context.Context, ids ...string) error {
	return c.call(ctx, http.MethodDelete, "faults?"+url.Values{"id": ids}.Encode(), nil, nil)
}

// Set changes settings and returns all of them.
func (c *Client) Set(ctx context.Context, s Settings) (Settings, error) {
	var out Settings
	return out, c.call(ctx, http.MethodPost, "settings", s, &out)
}

// SetCapacity sets how many more instances a pool can launch. A type or zone
// of "*" means all.
func (c *Client) SetCapacity(ctx context.Context, pool Capacity) error {
	return c.call(ctx, http.MethodPost, "capacity", pool, nil)
}

// SetSubnet sets how many addresses a subnet has left.
func (c *Client) SetSubnet(ctx context.Context, subnet Subnet) error {
	return c.call(ctx, http.MethodPost, "subnet", subnet, nil)
}

// SetQuota limits how many vCPUs may run of a group of families.
func (c *Client) SetQuota(ctx context.Context, quota VCPUs) error {
	return c.call(ctx, http.MethodPost, "quota", quota, nil)
}

// maxAnswer bounds what is read of an answer; 10,000 instances take 4 MiB.
const maxAnswer = 256 << 20

// call sends in, when there is one, and decodes the answer into out.
func (c *Client) call(ctx context.Context, method, what string, in, out any) error {
	if err := c.exchange(ctx, method, what, in, out); err != nil {
		return fmt.Errorf("asking the simulated AWS at %s for %s: %w", c.address, what, err)
	}
	return nil
}

func (c *Client) exchange(ctx context.Context, method, what string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.address+Path+what, body)
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		var refusal struct{ Error string }
		if json.Unmarshal(answer, &refusal) != nil || refusal.Error == "" {
			return fmt.Errorf("it answered %s, which no simulated AWS does", response.Status)
		}
		return fmt.Errorf("%s", refusal.Error)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}
