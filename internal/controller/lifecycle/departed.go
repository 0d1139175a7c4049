package lifecycle

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// departed are claims that were given up, and that a cache may still show as they were before.
type departed struct {
	mu     sync.Mutex // guards the field below
	claims map[string]types.UID
}

func (d *departed) add(claim *karpenterv1.NodeClaim) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.claims == nil {
		d.claims = map[string]types.UID{}
	}
	d.claims[claim.Name] = claim.UID
}

func (d *departed) has(claim *karpenterv1.NodeClaim) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	uid, ok := d.claims[claim.Name]
	return ok && uid == claim.UID
}

func (d *departed) forget(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.claims, name)
}
