// Package arcapi answers Amazon's Application Recovery Controller about the one cluster of the account, from which no
// traffic is shifted away.
package arcapi

import (
	"context"
	"net/http"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

type api struct{ world *world.World }

// New makes the controller.
func New(w *world.World) wire.API {
	return wire.API{
		Name:    wire.ARC,
		Routes:  map[string]string{"GET /managedresources/{resourceIdentifier...}": "GetManagedResource"},
		Actions: wire.Service{"GetManagedResource": wire.Handle((&api{w}).get)},
	}
}

type managedOut struct {
	Arn     string             `json:"arn"`
	Name    string             `json:"name"`
	Weights map[string]float64 `json:"appliedWeights"` // by zone ID: 1, or 0 where traffic was shifted away
	Shifts  []struct{}         `json:"zonalShifts"`
}

func (a *api) get(_ context.Context, c *wire.Call, _ *struct{}) (*managedOut, error) {
	out := &managedOut{Weights: map[string]float64{}, Shifts: []struct{}{}}
	return out, a.world.Do(func(s *world.State) error {
		out.Arn, out.Name = s.ARN("eks", "cluster/"+s.Cluster.Name), s.Cluster.Name
		if c.Path["resourceIdentifier"] != out.Arn {
			return apierror.WithStatus(
				http.StatusNotFound,
				"ResourceNotFoundException",
				"The resource %s is not managed.",
				c.Path["resourceIdentifier"],
			)
		}
		for _, zone := range s.Zones {
			if s.MarketOf(zone.Name) != s.Region.Name {
				continue // shifts are between the region's own zones
			}
			out.Weights[zone.ID] = 1
		}
		return nil
	})
}
