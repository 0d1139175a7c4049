// Package known answers, over HTTP, what the running controller knows of a pod or a node and no object tells: why the
// last plan had no place for it, when the next one is, how often a launch failed, what the cloud has none of, and how
// old
// its prices are. It reads, and changes nothing. Who may ask is the business of package serve.
package known

import (
	"encoding/json"
	"net/http"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/controller/provision"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// Prefix is where the answers are: Prefix + "pod?name=NAMESPACE/NAME", Prefix + "node?name=NAME" of a node or a
// NodeClaim.
const Prefix = "/dovetail/v1/"

// Nothing begins the answer for a name that the controller does not know.
const Nothing = "the controller knows nothing of "

// Deps are what an answer is made of.
type Deps struct {
	Client   client.Reader         // reads NodeClaims
	Snapshot func() shape.Snapshot // what a plan would be made for now
	// what the last plan had no place for; nil before the first
	Told  func() *provision.Told
	Retry func(*karpenterv1.NodeClaim) (failures int, n time.Time) // of its launch
	// after which a claim that is not launched is given up
	GiveUp   time.Duration
	PricesAt func() time.Time // zero for prices that are built in
	Clock    clock.PassiveClock
}

// New is a handler of all that is below Prefix.
func New(d Deps) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Prefix+"pod", func(w http.ResponseWriter, r *http.Request) { d.answer(w, r, d.pod) })
	mux.HandleFunc("GET "+Prefix+"node", func(w http.ResponseWriter, r *http.Request) { d.answer(w, r, d.node) })
	return mux
}

// answer writes what is known of what is named.
func (d Deps) answer(w http.ResponseWriter, r *http.Request, of func(*shape.Snapshot, string, *view.Known) bool) {
	name := r.URL.Query().Get("name")
	if name == "" {
		http.Error(w, "want a name: ?name=NAMESPACE/NAME of a pod, ?name=NAME of a node", http.StatusBadRequest)
		return
	}
	s := d.Snapshot()
	out := view.Known{Header: view.HeaderOf("Known"), At: d.Clock.Now()}
	if !of(&s, name, &out) {
		http.Error(w, Nothing+name, http.StatusNotFound)
		return
	}
	out.Offered, out.SoldOut = count(s.Types)
	out.PricesAt = d.PricesAt()
	if out.Node != "" {
		d.launch(r, &out)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out) // whoever asked has gone if this fails
}

func (d Deps) pod(s *shape.Snapshot, name string, out *view.Known) bool {
	id := shape.PodID(name)
	for _, n := range s.Nodes {
		for i := range n.Pods {
			if n.Pods[i].ID == id {
				return d.on(n, out)
			}
		}
	}
	told := d.Told()
	for i := range s.Pods {
		if s.Pods[i].ID != id {
			continue
		}
		if told != nil {
			out.Why = told.Unplaced[id]
			out.PlannedAt, out.NextPlan = told.At, told.Next
		}
		return true
	}
	return false
}

func (d Deps) node(s *shape.Snapshot, name string, out *view.Known) bool {
	for _, n := range s.Nodes {
		if n.Name == name || n.Claim == name {
			return d.on(n, out)
		}
	}
	return false
}

func (d Deps) on(n *shape.Node, out *view.Known) bool {
	out.Node, out.Price = n.Name, view.PerHour(n.Price)
	if n.Claim != "" {
		out.Node = n.Claim
	}
	return true
}

// launch tells of a claim that is not launched yet how that goes on.
func (d Deps) launch(r *http.Request, out *view.Known) {
	claim := &karpenterv1.NodeClaim{}
	if d.Client.Get(r.Context(), client.ObjectKey{Name: out.Node}, claim) != nil || condition.IsTrue(claim,
		karpenterv1.ConditionLaunched) {
		return
	}
	out.Attempts, out.NextLaunch = d.Retry(claim)
	if d.GiveUp > 0 {
		out.GiveUp = claim.CreationTimestamp.Add(d.GiveUp)
	}
}

// count is how many offerings there are, and how many of them are sold out.
func count(types []*shape.InstanceType) (all, gone int) {
	for _, t := range types {
		all += len(t.Offerings)
		for i := range t.Offerings {
			if !t.Offerings[i].Available {
				gone++
			}
		}
	}
	return all, gone
}
