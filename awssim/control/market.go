package control

import (
	"context"
	"net/http"
	"net/url"

	"github.com/dovetail-sh/dovetail/awssim/fault"
)

// Pool is one pool of the market as it is now.
type Pool struct {
	Type     string `json:"type"`
	Zone     string `json:"zone"`
	Capacity string `json:"capacityType"`
	// Price and OnDemand are in micro-dollars an hour.
	Price    int64 `json:"price"`
	OnDemand int64 `json:"onDemand"`
	// Pressure is how hard others ask for the pool, from 0 to 1.
	Pressure float64 `json:"pressure"`
	InUse    int     `json:"inUse"`
	// Available is how many more it can launch; nil is without end.
	Available *int `json:"available"`
}

// Squeeze puts spot pools under full pressure for a time of the account's
// clock: no capacity, the highest price, and within minutes all that they gave
// is taken back. An empty type or zone is any; For of 0 ends all squeezes.
type Squeeze struct {
	Type string         `json:"type,omitempty"`
	Zone string         `json:"zone,omitempty"`
	For  fault.Duration `json:"for"`
}

// Market lists the spot pools of one type or, when that is empty, those that
// are in use.
func (c *Client) Market(ctx context.Context, instanceType string) ([]Pool, error) {
	var out []Pool
	return out, c.call(ctx, http.MethodGet, "market?"+url.Values{"type": {instanceType}}.Encode(), nil, &out)
}

// Squeeze puts spot pools under pressure.
func (c *Client) Squeeze(ctx context.Context, s Squeeze) error {
	return c.call(ctx, http.MethodPost, "squeeze", s, nil)
}
