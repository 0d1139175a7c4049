package simulate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	kwokv1alpha1 "github.com/dovetail-sh/dovetail/api/kwok/v1alpha1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

const defaultPool = "default"

// Input is a cluster and what can be bought for it.
type Input struct {
	Set    *manifest.Set
	Market Market

	// Requirements narrow every NodePool, the default one included.
	Requirements []karpenterv1.Requirement

	Policy engine.Policy
	Now    time.Time

	// Lenient turns errors in objects into notes: those of a live cluster are not the caller's to mend.
	Lenient bool
}

// Result is a plan and what it was made for.
type Result struct {
	Snapshot shape.Snapshot
	Decision engine.Decision

	// Notes say what was assumed or left out, one sentence each.
	Notes []string

	pods []*corev1.Pod // all of the Input's
}

// Prepared is a cluster that is ready to be planned.
type Prepared struct {
	objects translate.Objects
	input   Input
	notes   []string
}

// Prepare looks at pools and prices. The error names the object and the field.
func Prepare(in Input) (*Prepared, error) {
	p := &Prepared{input: in}
	set := *in.Set
	pools, err := p.pools()
	if err != nil {
		return nil, err
	}
	set.NodePools = pools
	s := &shop{market: in.Market, set: &set, lenient: in.Lenient, byClass: map[string]*translate.Offer{}}
	offers, err := s.offers()
	if err != nil {
		return nil, err
	}
	p.notes = append(p.notes, s.notes...)
	p.objects = translate.Objects{
		Pods: set.Pods, Nodes: set.Nodes, NodeClaims: set.NodeClaims, NodePools: pools, DaemonSets: set.DaemonSets,
		Namespaces: set.Namespaces, LimitRanges: set.LimitRanges, Claims: set.Claims, Volumes: set.Volumes, StorageClasses: set.StorageClasses, CSINodes: set.CSINodes,
		Offers: offers, TrustPools: true,
	}
	p.noteIgnored()
	p.noteLost()
	return p, nil
}

// pools are the input's, or the default one, with the requirements added.
func (p *Prepared) pools() ([]*karpenterv1.NodePool, error) {
	given := p.input.Set.NodePools
	if len(given) == 0 {
		pool := &karpenterv1.NodePool{}
		pool.Name = defaultPool
		pool.Spec.Template.Spec.NodeClassRef = &karpenterv1.NodeClassReference{Group: awsv1.Group, Kind: "EC2NodeClass", Name: defaultPool}
		given = []*karpenterv1.NodePool{pool}
		if len(p.input.Market.Types) == 0 {
			p.notes = append(p.notes, "no NodePool is given: planned with one named default")
		}
	}
	out := make([]*karpenterv1.NodePool, len(given))
	for i, np := range given {
		np = np.DeepCopy()
		np.Spec.Template.Spec.Requirements = append(np.Spec.Template.Spec.Requirements, p.input.Requirements...)
		if errs := np.Validate(awsv1.LabelRules(), kwokv1alpha1.LabelRules()); len(errs) > 0 && !p.input.Lenient {
			return nil, fmt.Errorf("NodePool %s: %w", np.Name, errs[0])
		}
		out[i] = np
	}
	return out, nil
}

// noteIgnored tells what of the objects was not read.
func (p *Prepared) noteIgnored() {
	set := p.input.Set
	if list := counted(set.Ignored); list != "" {
		p.notes = append(p.notes, "not looked at: "+list)
	}
	if list := counted(set.Unknown); list != "" {
		p.notes = append(p.notes, "fields that are not known here are left out: "+list)
	}
}

// counted lists names with their numbers, in the order of the names.
func counted(of map[string]int) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		list = append(list, fmt.Sprintf("%d %s", of[name], name))
	}
	return strings.Join(list, ", ")
}

// noteLost counts pods that run on nodes which are not given.
func (p *Prepared) noteLost() {
	nodes := map[string]bool{}
	for _, n := range p.objects.Nodes {
		nodes[n.Name] = true
	}
	lost := 0
	for _, pod := range p.objects.Pods {
		if pod.Spec.NodeName != "" && !nodes[pod.Spec.NodeName] && pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
			lost++
		}
	}
	if lost > 0 {
		p.notes = append(p.notes, fmt.Sprintf("%d pods run on nodes that are not given and are left out", lost))
	}
}

// Plan plans. The error names the first object that no API server can have accepted; there is none for a
// lenient Input.
func (p *Prepared) Plan() (*Result, error) {
	snapshot, problems := translate.Snapshot(p.objects, p.input.Now)
	notes := slices.Clone(p.notes)
	switch {
	case p.input.Lenient:
		for _, problem := range problems {
			notes = append(notes, problem.Error())
		}
	case len(problems) == 1:
		return nil, problems[0]
	case len(problems) > 1:
		return nil, fmt.Errorf("%w (and %d more objects with errors)", problems[0], len(problems)-1)
	}
	if len(snapshot.Pods) == 0 {
		notes = append(notes, idle(len(p.objects.Pods)))
	}
	return &Result{
		Snapshot: snapshot,
		Decision: engine.Plan(snapshot, p.input.Policy),
		Notes:    notes,
		pods:     p.objects.Pods,
	}, nil
}

// idle says that there is nothing to plan.
func idle(pods int) string {
	if pods == 0 {
		return "nothing to plan: no pods are given, and no workloads that lack any"
	}
	return fmt.Sprintf("nothing to plan: none of the %d pods waits for a node", pods)
}
