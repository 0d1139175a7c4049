package simulate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	kwokv1alpha1 "github.com/dovetail-sh/dovetail/api/kwok/v1alpha1"
	"github.com/dovetail-sh/dovetail/catalog"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/devices"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/internal/view"
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

	// Drifted says of claims why they are to be replaced beside what they and their NodePools say: by a new image, such
	// as. Nil for no such reasons.
	Drifted func(claim *karpenterv1.NodeClaim) (reason, message string)

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
	fixed   fixed
	notes   []string

	consolidating bool
}

func (p *Prepared) note(text string) { p.notes = append(p.notes, text) }

// Prepare looks at pools and prices. The error names the object and the field.
func Prepare(in Input) (*Prepared, error) {
	p := &Prepared{input: in}
	set := *in.Set
	pools, err := p.pools()
	if err != nil {
		return nil, err
	}
	set.NodePools = pools
	s := &shop{market: in.Market, set: &set, lenient: in.Lenient, byKey: map[string]*translate.Offer{}}
	offers, err := s.offers()
	if err != nil {
		return nil, err
	}
	p.notes = append(p.notes, s.notes...)
	p.objects = translate.Objects{
		Pods: slices.Clip(
			set.Pods,
		),
		Nodes:          set.Nodes,
		NodeClaims:     slices.Clip(set.NodeClaims),
		NodePools:      pools,
		DaemonSets:     set.DaemonSets,
		Namespaces:     set.Namespaces,
		LimitRanges:    set.LimitRanges,
		RuntimeClasses: set.RuntimeClasses,
		Claims:         set.Claims,
		Volumes:        set.Volumes,
		StorageClasses: set.StorageClasses,
		CSINodes:       set.CSINodes,
		Offers:         offers,
		Aliases:        labelRules().Aliases,
		TrustPools:     true,
		Devices:        devicesOf(&set),
	}
	p.addStatic()
	if err := p.addBuffers(); err != nil {
		return nil, err
	}
	p.noteIgnored()
	p.noteNodes()
	p.noteLost()
	p.noteHeldBack()
	p.noteVolumes()
	return p, nil
}

// pools are the input's, or the default one, with the requirements added.
func (p *Prepared) pools() ([]*karpenterv1.NodePool, error) {
	given := p.input.Set.NodePools
	if len(given) == 0 {
		pool := &karpenterv1.NodePool{}
		pool.Name = defaultPool
		pool.Spec.Template.Spec.NodeClassRef = &karpenterv1.NodeClassReference{
			Group: awsv1.Group,
			Kind:  "EC2NodeClass",
			Name:  defaultPool,
		}
		given = []*karpenterv1.NodePool{pool}
		if len(p.input.Market.Types) == 0 {
			p.notes = append(p.notes, "no NodePool is given: planned with one named default")
		}
	}
	out := make([]*karpenterv1.NodePool, len(given))
	for i, np := range given {
		np = np.DeepCopy()
		np.Spec.Template.Spec.Requirements = append(np.Spec.Template.Spec.Requirements, p.input.Requirements...)
		if errs := np.Validate(labelRules()); len(errs) > 0 && !p.input.Lenient {
			return nil, fmt.Errorf("NodePool %s: %w", np.Name, errs[0])
		}
		out[i] = np
	}
	return out, nil
}

// labelRules are those of all clouds whose NodeClasses can be given.
func labelRules() karpenterv1.LabelRules {
	return awsv1.LabelRules().Merge(kwokv1alpha1.LabelRules())
}

// noteIgnored tells what of the objects was not read.
func (p *Prepared) noteIgnored() {
	set := p.input.Set
	p.notes = append(p.notes, set.Notes...)
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

// noteNodes tells of nodes that are there and take no pods.
func (p *Prepared) noteNodes() {
	var going, sick []string
	for _, n := range p.objects.Nodes {
		switch {
		case n.DeletionTimestamp != nil:
			going = append(going, n.Name)
		case len(n.Status.Conditions) > 0 && !condition.NodeReady(n):
			sick = append(sick, n.Name)
		}
	}
	if len(going) > 0 {
		p.note("being deleted, so their pods are planned elsewhere: " + view.Few(going))
	}
	if len(sick) > 0 {
		p.note("not ready, so only pods that tolerate what they are tainted with are planned there: " + view.Few(sick))
	}
}

// noteVolumes tells of volumes that will be made somewhere before their pods have nodes.
func (p *Prepared) noteVolumes() {
	classes := map[string]*storagev1.StorageClass{}
	for _, c := range p.objects.StorageClasses {
		classes[c.Name] = c
	}
	for _, claim := range p.objects.Claims {
		if name := translate.ClassName(
			claim,
		); name != nil &&
			translate.MadeAnywhere(claim, classes[*name], p.objects.Aliases) {
			p.notes = append(
				p.notes,
				fmt.Sprintf(
					"StorageClass %s does not wait for a node, so where the volume of claim %s/%s will be is not "+
						"known; "+
						"it is planned where its pods are",
					*name,
					claim.Namespace,
					claim.Name,
				),
			)
		}
	}
}

// devicesOf are the dynamic resources that are given; nil if there is no DeviceClass, so that no claim can be served.
// What is sold is what the drivers publish for which a class is there to choose them.
func devicesOf(set *manifest.Set) *devices.World {
	if len(set.DeviceClasses) == 0 {
		return nil
	}
	w := devices.New(devices.Objects{
		Claims: set.ResourceClaims, Templates: set.ResourceClaimTemplates, Slices: set.ResourceSlices,
		Classes: set.DeviceClasses, Sold: catalog.Devices,
	}, nil)
	return w
}

// noteLost counts pods that run on nodes which are not given.
func (p *Prepared) noteLost() {
	nodes := map[string]bool{}
	for _, n := range p.objects.Nodes {
		nodes[n.Name] = true
	}
	lost := 0
	for _, pod := range p.objects.Pods {
		if pod.Spec.NodeName != "" && !nodes[pod.Spec.NodeName] && !translate.Finished(pod) {
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
	if n := len(p.input.Set.Budgets); n > 0 && !p.consolidating && !p.input.Lenient {
		notes = append(notes, fmt.Sprintf("not looked at: %d PodDisruptionBudget, which --consolidate heeds", n))
	}
	if len(snapshot.Pods) == 0 && len(p.fixed.nodes) == 0 {
		notes = append(notes, idle(len(p.objects.Pods)))
	}
	made := p.objects.Devices.Plan(snapshot, func(s shape.Snapshot) engine.Decision {
		return engine.Plan(s, p.input.Policy)
	})
	snapshot, decision := made.Snapshot, made.Decision
	p.fixed.open(&decision, &snapshot)
	return &Result{Snapshot: snapshot, Decision: decision, Notes: notes, pods: p.objects.Pods}, nil
}

// idle says that there is nothing to plan.
func idle(pods int) string {
	if pods == 0 {
		return "nothing to plan: no pods are given, and no workloads that lack any"
	}
	return fmt.Sprintf("nothing to plan: none of the %d pods waits for a node", pods)
}
