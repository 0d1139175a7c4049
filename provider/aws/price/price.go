// Package price knows what instance types cost, on demand and on the spot market.
//
// It starts from the embedded catalogue, so there is a price from the first second and
// without any permission, and is refreshed from AWS when asked. What a refresh does not
// mention keeps its price, except for spot: once the market has answered, a zone without a
// price has no spot offering.
package price

import (
	"maps"
	"sync"

	"github.com/dovetail-sh/dovetail/catalog"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// fallbackRegion lends its prices to regions that the catalogue does not know.
const fallbackRegion = "us-east-1"

// Book is the list of prices. It is safe for use by many goroutines.
type Book struct {
	region string

	mu       sync.RWMutex // guards the fields below
	onDemand map[string]shape.Money
	spot     map[place]shape.Money // nil until the market has answered
	revision uint64                // +1 on every change
}

// place is where a spot price holds.
type place struct{ instanceType, zone string }

// New makes a Book with the catalogue's prices.
func New(region string) *Book { return &Book{region: region} }

// OnDemand is the price of a type. It is false if there is none.
func (b *Book) OnDemand(instanceType string) (shape.Money, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if p, ok := b.onDemand[instanceType]; ok {
		return p, true
	}
	p, ok := catalog.OnDemand(b.catalogued(), instanceType)
	return shape.Money(p), ok
}

// Spot is the price of a type in a zone. It is false if there is none.
func (b *Book) Spot(instanceType, zone string) (shape.Money, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.spot != nil {
		p, ok := b.spot[place{instanceType, zone}]
		return p, ok
	}
	// The catalogue does not know which zone had which price.
	if p, ok := catalog.Spot(b.catalogued(), instanceType); ok {
		return shape.Money(p.Avg), true
	}
	p, ok := catalog.OnDemand(b.catalogued(), instanceType)
	return shape.Money(p), ok
}

// Revision changes whenever a price has.
func (b *Book) Revision() uint64 {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.revision
}

// SetOnDemand takes over prices by type.
func (b *Book) SetOnDemand(prices map[string]shape.Money) {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := maps.Clone(b.onDemand)
	if next == nil {
		next = map[string]shape.Money{}
	}
	maps.Copy(next, prices)
	if !maps.Equal(next, b.onDemand) {
		b.onDemand = next
		b.revision++
	}
}

func (b *Book) setSpot(prices map[place]shape.Money) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.spot == nil || !maps.Equal(prices, b.spot) {
		b.spot = prices
		b.revision++
	}
}

func (b *Book) catalogued() string {
	if _, ok := catalog.LookupRegion(b.region); ok {
		return b.region
	}
	return fallbackRegion
}
