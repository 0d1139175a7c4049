package mirror

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

func (p *picture) putPod(object *corev1.Pod) Change {
	id := translate.IDOf(object)
	if translate.Finished(object) {
		return p.dropPod(id)
	}
	rec := p.pods[id]
	told := "" // what the scheduler was told last
	if rec == nil {
		rec = &pod{}
		p.pods[id] = rec
	} else {
		told = rec.object.Status.NominatedNodeName
		p.unindex(rec)
		if rec.object.UID != object.UID {
			p.refused.forget(id) // another pod of the same name
			delete(p.nominated, id)
			delete(p.promised, id)
		}
	}
	rec.object = object
	if p.in.Observe(&object.Spec) {
		p.stale.classes = true
	}
	var planned string
	if object.Spec.NodeName != "" {
		p.refused.forget(id)
		p.swap(id, object.Spec.NodeName)
		planned = p.slotNamed(cmp.Or(p.promised[id].node, p.nominated[id].target))
		delete(p.nominated, id)
		delete(p.promised, id)
	}
	p.index(id, rec)
	p.translate(rec)
	before := rec.slot
	change := p.place(id, rec)
	if object.Spec.NodeName != "" && (before != rec.slot || planned != "") {
		change |= p.arrived(id, told, rec.slot, planned)
	}
	return change
}

// surplus lists the pods that were planned onto a node but for which others have left no room: the least
// important and latest first.
func (p *picture) surplus(name string) []shape.PodID {
	s := p.slots[name]
	if len(p.nominated) == 0 || s.view.Node == nil {
		return nil
	}
	var sum shape.Vector
	var planned []shape.Pod
	for id := range s.pods {
		sp := p.pods[id].view.Pod
		sum = sum.Add(p.in.Classes()[sp.Class].Requests)
		if _, ok := p.nominated[id]; ok {
			planned = append(planned, sp)
		}
	}
	if len(planned) == 0 || sum.Fits(s.view.Allocatable) {
		return nil
	}
	slices.SortFunc(planned, func(a, b shape.Pod) int {
		return cmp.Or(
			cmp.Compare(p.in.Classes()[a.Class].Priority, p.in.Classes()[b.Class].Priority),
			b.Created.Compare(a.Created),
			cmp.Compare(b.ID, a.ID),
		)
	})
	var out []shape.PodID
	for _, sp := range planned {
		if sum.Fits(s.view.Allocatable) {
			break
		}
		sum = sum.Sub(p.in.Classes()[sp.Class].Requests)
		out = append(out, sp.ID)
	}
	return out
}

func (p *picture) dropPod(id shape.PodID) Change {
	rec := p.pods[id]
	if rec == nil {
		return 0
	}
	p.unindex(rec)
	p.refused.forget(id)
	delete(p.nominated, id)
	delete(p.promised, id)
	delete(p.pods, id)
	delete(p.timed, id)
	p.loosen(id, nil)
	if rec.slot == "" {
		return 0
	}
	p.leave(id, rec)
	return Room
}

// translate makes the planner's view of a pod. Whether it is held is judged when nodes are made:
// the zero time is before the end of every hold.
func (p *picture) translate(rec *pod) {
	// Errors are in the class, as the reason why the pod is refused.
	rec.view, _ = p.in.Pod(rec.object, time.Time{})
	if rec.view.Until.IsZero() {
		delete(p.timed, rec.view.ID)
	} else {
		p.timed[rec.view.ID] = struct{}{}
		p.timer(rec.view.Until)
	}
}

// retranslate makes a pod's view anew and passes it on to where the pod is.
func (p *picture) retranslate(rec *pod) {
	if rec == nil {
		return
	}
	p.translate(rec)
	if rec.slot != "" {
		p.dirtySlots[rec.slot] = struct{}{}
	}
	if _, ok := p.loose[rec.view.ID]; ok {
		p.loosen(rec.view.ID, rec)
	}
}

// named lists what a pod says about its place: nodes and claims.
func (p *picture) named(id shape.PodID, rec *pod) [4]string {
	return [4]string{
		rec.object.Spec.NodeName,
		rec.object.Status.NominatedNodeName,
		p.nominated[id].target,
		p.promised[id].node,
	}
}

func (p *picture) index(id shape.PodID, rec *pod) {
	for _, name := range p.named(id, rec) {
		if name != "" {
			addTo(p.refs, name, id)
		}
	}
	for _, claim := range translate.VolumeClaims(rec.object) {
		key := types.NamespacedName{Namespace: rec.object.Namespace, Name: claim}
		addTo(p.users, key, id)
		p.countUsers(key)
	}
}

func (p *picture) unindex(rec *pod) {
	id := translate.IDOf(rec.object)
	for _, name := range p.named(id, rec) {
		if name != "" {
			removeFrom(p.refs, name, id)
		}
	}
	for _, claim := range translate.VolumeClaims(rec.object) {
		key := types.NamespacedName{Namespace: rec.object.Namespace, Name: claim}
		removeFrom(p.users, key, id)
		p.countUsers(key)
	}
}

// countUsers notes how many pods use a claim. Whether it is one pod's or several pods' shows in what each of them
// needs.
func (p *picture) countUsers(key types.NamespacedName) {
	before, now := p.world.Users[key], len(p.users[key])
	if now == 0 {
		delete(p.world.Users, key)
	} else {
		p.world.Users[key] = now
	}
	if (before > 1) != (now > 1) {
		if p.stale.users == nil {
			p.stale.users = map[types.NamespacedName]struct{}{}
		}
		p.stale.users[key] = struct{}{}
	}
}

// place puts a pod where it belongs now.
func (p *picture) place(id shape.PodID, rec *pod) Change {
	slot := p.slotFor(id, rec)
	if rec.slot != "" && rec.slot != slot {
		p.leave(id, rec)
	}
	var change Change
	_, planned := p.loose[id]
	switch {
	case slot != "":
		p.loosen(id, nil)
	case translate.Provisionable(rec.object):
		change |= p.refused.refuse(id, originOf(rec.object), planned)
		p.loosen(id, rec)
	case translate.Waiting(rec.object):
		change |= p.refused.queue(id, originOf(rec.object))
		p.loosen(id, rec)
	default:
		p.loosen(id, nil)
	}
	if slot == "" {
		return change
	}
	if rec.slot == "" {
		rec.slot = slot
		p.slots[slot].pods[id] = struct{}{}
		if _, virtual := p.virtual[id]; !virtual && len(p.virtual) > 0 {
			change |= Taken
		}
	}
	p.dirtySlots[slot] = struct{}{}
	if p.slots[slot].leaving() {
		change |= Wanted
	}
	return change
}

// slotFor is where a pod holds room, empty for nowhere.
func (p *picture) slotFor(id shape.PodID, rec *pod) string {
	if name := rec.object.Spec.NodeName; name != "" {
		if p.nodes[name] == nil {
			return ""
		}
		return name
	}
	if node := p.promised[id].node; p.nodes[node] != nil {
		return node // it may be bound there already
	}
	if rec.object.DeletionTimestamp != nil {
		return ""
	}
	for _, name := range []string{rec.object.Status.NominatedNodeName, p.nominated[id].target} {
		if slot := p.slotNamed(name); slot != "" && !p.slots[slot].leaving() {
			return slot
		}
	}
	return ""
}

// slotNamed is the slot of a node, or else of a claim.
func (p *picture) slotNamed(name string) string {
	if name == "" {
		return ""
	}
	if p.nodes[name] != nil {
		return name
	}
	if slot, ok := p.slotOf[name]; ok {
		return slot
	}
	if p.slots[name] != nil { // a claim under its longer name, see translate.ClaimOnlyName
		return name
	}
	return ""
}

// pool is the name of the NodePool, empty for nodes that we do not manage.
func (s *slot) pool() string {
	if s.claim == nil {
		return ""
	}
	return s.claim.Labels[karpenterv1.NodePoolLabelKey]
}

func (p *picture) leave(id shape.PodID, rec *pod) {
	if s := p.slots[rec.slot]; s != nil {
		delete(s.pods, id)
		p.dirtySlots[rec.slot] = struct{}{}
	}
	rec.slot = ""
}

// loosen notes whether a pod is to be placed; rec is nil if it is not.
func (p *picture) loosen(id shape.PodID, rec *pod) {
	if rec == nil {
		if _, ok := p.loose[id]; !ok {
			return
		}
		delete(p.loose, id)
		p.refused.settle(id)
	} else {
		sp := rec.view.Pod
		sp.Role = shape.Movable
		p.loose[id] = sp
	}
	p.dirtyLoose[id] = struct{}{}
}

// replace puts all pods that name a node or claim where they belong now.
func (p *picture) replace(name string) (change Change) {
	for _, id := range podIDs(p.refs[name]) {
		if rec := p.pods[id]; rec != nil {
			change |= p.place(id, rec)
		}
	}
	return change
}

// timer notes that something ends by itself.
func (p *picture) timer(at time.Time) {
	if p.nextTimer.IsZero() || at.Before(p.nextTimer) {
		p.nextTimer = at
	}
}
