// Package price knows what instance types cost, on demand and on the spot market.
//
// It starts from the embedded catalogue, so there is a price from the first second and
// without any permission, and is refreshed from AWS when asked. What a refresh does not
// mention keeps its price, except for spot: once the market has answered, a zone without a
// price has no spot offering. In China, where AWS tells yuan, the catalogue's dollars count
// until AWS has told prices on demand, and then none of them.
//
// Local Zones have prices of their own, on demand and spot. Few of them sell spot, so there is no spot price in one
// before the market told it.
package price

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/dovetail-sh/dovetail/catalog"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// fallbackRegion lends its prices to regions that the catalogue does not know.
const fallbackRegion = "us-east-1"

// Book is the list of prices. It is safe for use by many goroutines.
type Book struct {
	region string

	mu        sync.RWMutex          // guards the fields below
	onDemand  map[place]shape.Money // by what the zone is priced as
	dedicated map[place]shape.Money // by the same
	spot      map[place]shape.Money // by zone; nil until the market has answered
	list      doubt                 // of onDemand
	market    doubt                 // of spot
	revision  uint64                // +1 on every change
}

// place is where a price holds: in a zone, or in all that are priced as one.
type place struct{ instanceType, where string }

// New makes a Book with the catalogue's prices.
func New(region string) *Book { return &Book{region: region} }

// OnDemand is the price of a type in a zone. It is false if there is none. A type of which no price in a Local Zone is
// known counts as dear as in the region, which is less than it costs.
func (b *Book) OnDemand(instanceType, zone string) (shape.Money, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, where := range []string{catalog.PricedAs(b.region, zone), b.region} {
		if p, ok := b.onDemand[place{instanceType, where}]; ok {
			return p, true
		}
		if p, ok := catalog.OnDemand(b.catalogued(where), instanceType); ok && !(inChina(b.region) && b.told()) {
			return shape.Money(p), true
		}
	}
	return 0, false
}

// Dedicated is the on-demand price of a type in a zone on hardware of the account's own, without the fee that AWS takes
// for the region. It is false before AWS told it: the catalogue does not know it.
func (b *Book) Dedicated(instanceType, zone string) (shape.Money, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	p, ok := b.dedicated[place{instanceType, catalog.PricedAs(b.region, zone)}]
	return p, ok
}

// Spot is the price of a type in a zone. It is false if there is none.
func (b *Book) Spot(instanceType, zone string) (shape.Money, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.spot != nil && (!inChina(b.region) || b.told()) || catalog.PricedAs(b.region, zone) != b.region {
		p, ok := b.spot[place{instanceType, zone}]
		return p, ok
	}
	if inChina(b.region) && b.told() {
		p, ok := b.onDemand[place{instanceType, b.region}]
		return p, ok
	}
	// The catalogue does not know which zone had which price.
	if p, ok := catalog.Spot(b.catalogued(b.region), instanceType); ok {
		return shape.Money(p.Avg), true
	}
	p, ok := catalog.OnDemand(b.catalogued(b.region), instanceType)
	return shape.Money(p), ok
}

// inChina reports whether AWS's prices of a region are in yuan. The catalogue's are in dollars, and must not be
// compared with them: every spot offer would look dear, or every other one cheap.
func inChina(region string) bool { return strings.HasPrefix(region, "cn-") }

// told reports whether AWS has told prices on demand. b.mu is held.
func (b *Book) told() bool { return len(b.onDemand) > 0 }

// Revision changes whenever a price has.
func (b *Book) Revision() uint64 {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.revision
}

func (b *Book) setOnDemand(prices, dedicated map[place]shape.Money) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.list.believe(b.onDemand, prices); err != nil {
		return fmt.Errorf("on-demand prices of %s: %w", b.region, err)
	}
	changed := false
	for known, told := range map[*map[place]shape.Money]map[place]shape.Money{&b.onDemand: prices,
		&b.dedicated: dedicated} {
		next := maps.Clone(*known)
		if next == nil {
			next = map[place]shape.Money{}
		}
		maps.Copy(next, told)
		changed = changed || !maps.Equal(next, *known)
		*known = next
	}
	if changed {
		b.revision++
	}
	return nil
}

// setSpot takes over what the market told. Places of which it told no number, which unread are, keep their last price;
// a place without one has no offering. The error says what was not believed.
func (b *Book) setSpot(prices map[place]shape.Money, unread map[place]string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.market.believe(b.spot, prices); err != nil {
		return fmt.Errorf("spot prices of %s: %w", b.region, err)
	}
	next := maps.Clone(prices)
	for where := range unread {
		if last, known := b.lastSpot(where); known && next[where] == 0 {
			next[where] = last
		}
	}
	if b.spot == nil || !maps.Equal(next, b.spot) {
		b.spot = next
		b.revision++
	}
	if len(unread) == 0 {
		return nil
	}
	where := slices.MinFunc(slices.Collect(maps.Keys(unread)), func(x, y place) int {
		return cmp.Or(cmp.Compare(x.instanceType, y.instanceType), cmp.Compare(x.where, y.where))
	})
	return fmt.Errorf(
		"spot prices of %s: %d are no amounts of money, such as %q of %s in %s; the last ones are kept",
		b.region,
		len(unread),
		unread[where],
		where.instanceType,
		where.where,
	)
}

// lastSpot is the price of a type in a zone as it was last known. b.mu is held.
func (b *Book) lastSpot(where place) (shape.Money, bool) {
	if b.spot != nil || inChina(b.region) {
		p, known := b.spot[where]
		return p, known
	}
	p, known := catalog.Spot(b.catalogued(catalog.PricedAs(b.region, where.where)), where.instanceType)
	return shape.Money(p.Avg), known
}

// catalogued is under which name the catalogue has the prices.
func (b *Book) catalogued(where string) string {
	if _, ok := catalog.LookupRegion(where); !ok && where == b.region {
		return fallbackRegion
	}
	return where
}
