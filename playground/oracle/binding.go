package oracle

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/component-helpers/storage/volume"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/dovetail-sh/dovetail/internal/sample"
)

// seat is a pod on a node of the board.
type seat struct {
	pod  *corev1.Pod
	node *corev1.Node
}

// bindings is which volumes the board's pods have given their claims, in the order in which they came. The scheduler's
// own caches of volumes show the landscape, in which these claims wait for ever; binding one for real takes an API
// server. What the scheduler would know after each pod is known here instead: a free volume has the claim that its own
// search finds for it on the pod's node, and what is made is made in the node's zone.
type bindings struct {
	seats []seat
	zone  map[string]string                   // by claim: where its volume was made
	got   map[string]*corev1.PersistentVolume // by claim
	taken map[string]*corev1.PersistentVolume // by name
}

func newBindings() *bindings {
	return &bindings{
		zone:  map[string]string{},
		got:   map[string]*corev1.PersistentVolume{},
		taken: map[string]*corev1.PersistentVolume{},
	}
}

// waiting are the claims and classes of the landscape's claims that wait for a node.
var waiting, classes, volumesOfClass = func() (map[string]*corev1.PersistentVolumeClaim, map[string]*storagev1.StorageClass, map[string][]*corev1.PersistentVolume) {
	o := sample.Storage()
	claims, byName, volumes := map[string]*corev1.PersistentVolumeClaim{}, map[string]*storagev1.StorageClass{}, map[string][]*corev1.PersistentVolume{}
	for _, c := range o.Claims {
		if c.Spec.VolumeName == "" {
			claims[c.Namespace+"/"+c.Name] = c
		}
	}
	for _, c := range o.StorageClasses {
		byName[c.Name] = c
	}
	for _, v := range o.Volumes {
		volumes[v.Spec.StorageClassName] = append(volumes[v.Spec.StorageClassName], v)
	}
	return claims, byName, volumes
}()

// handles are the disks of the landscape's bound claims.
var handles = func() map[string]string {
	o := sample.Storage()
	out := map[string]string{}
	for _, v := range o.Volumes {
		if ref := v.Spec.ClaimRef; ref != nil {
			out[ref.Namespace+"/"+ref.Name] = v.Spec.CSI.VolumeHandle
		}
	}
	return out
}()

// claimsOf are those claims of a pod that wait, the smallest first.
func claimsOf(pod *corev1.Pod) (keys []string) {
	for i := range pod.Spec.Volumes {
		if source := pod.Spec.Volumes[i].PersistentVolumeClaim; source != nil {
			if key := pod.Namespace + "/" + source.ClaimName; waiting[key] != nil && !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	slices.SortStableFunc(keys, func(a, b string) int {
		x, y := waiting[a].Spec.Resources.Requests[corev1.ResourceStorage], waiting[b].Spec.Resources.Requests[corev1.ResourceStorage]
		return cmp.Or(x.Cmp(y), strings.Compare(a, b))
	})
	return keys
}

// seat notes that a pod is on a node.
func (b *bindings) seat(pod *corev1.Pod, node *corev1.Node) {
	b.seats = append(b.seats, seat{pod, node})
	for _, key := range claimsOf(pod) {
		if b.got[key] != nil || b.zone[key] != "" {
			continue
		}
		if v := b.find(key, node, b.taken); v != nil {
			b.got[key], b.taken[v.Name] = v, v
		} else {
			b.zone[key] = node.Labels[corev1.LabelTopologyZone]
		}
	}
}

func (b *bindings) find(
	key string,
	node *corev1.Node,
	taken map[string]*corev1.PersistentVolume,
) *corev1.PersistentVolume {
	claim := waiting[key]
	v, err := volume.FindMatchingVolume(claim, volumesOfClass[*claim.Spec.StorageClassName], node, taken, true, true)
	if err != nil {
		panic(err) // the landscape is ours
	}
	return v
}

// rise notes that a pod has left.
func (b *bindings) rise(pod *corev1.Pod) {
	rest := slices.DeleteFunc(slices.Clone(b.seats), func(s seat) bool { return s.pod.UID == pod.UID })
	*b = *newBindings()
	for _, s := range rest {
		b.seat(s.pod, s.node)
	}
}

// refuses is why a pod's claims keep it off a node as they are bound by now, empty if they do not.
func (b *bindings) refuses(pod *corev1.Pod, node *corev1.Node) string {
	taken := map[string]*corev1.PersistentVolume{}
	for name, v := range b.taken {
		taken[name] = v
	}
	for _, key := range claimsOf(pod) {
		switch {
		case b.zone[key] != "":
			if b.zone[key] != node.Labels[corev1.LabelTopologyZone] {
				return "the volume of claim " + key + " was made in " + b.zone[key]
			}
			continue
		case b.got[key] != nil:
			if volume.CheckNodeAffinity(b.got[key], node.Labels) != nil {
				return "claim " + key + " has got volume " + b.got[key].Name
			}
			continue
		}
		v := b.find(key, node, taken)
		if class := classes[*waiting[key].Spec.StorageClassName]; v == nil &&
			class.Provisioner == volume.NotSupportedProvisioner {
			return "other claims have got the volumes that suit claim " + key
		} else if v == nil &&
			!allowed(class, node) {
			return "no volume can be made there for claim " + key
		}
		if v != nil {
			taken[v.Name] = v
		}
	}
	return ""
}

// full is why a node cannot attach the volumes of a pod, empty if it can. The scheduler counts volumes that exist only
// once they are bound, when it is too late for the pod: it would wait on the node for ever. A plan counts them before.
func (b *board) full(pod *corev1.Pod, node *framework.NodeInfo) string {
	csi := b.csi[node.Node().Name]
	if csi == nil {
		return ""
	}
	attached := map[string]bool{}
	note := func(p *corev1.Pod) {
		for i := range p.Spec.Volumes {
			if source := p.Spec.Volumes[i].PersistentVolumeClaim; source != nil {
				key := p.Namespace + "/" + source.ClaimName
				attached[cmp.Or(handles[key], key)] = true
			}
		}
	}
	for _, p := range node.GetPods() {
		note(p.GetPod())
	}
	before := len(attached)
	note(pod)
	if len(attached) > max(before, int(*csi.Spec.Drivers[0].Allocatable.Count)) {
		return "the node can attach no more volumes"
	}
	return ""
}

// allowed reports whether a class makes volumes in a node's zone.
func allowed(class *storagev1.StorageClass, node *corev1.Node) bool {
	if len(class.AllowedTopologies) == 0 {
		return true
	}
	return slices.Contains(
		class.AllowedTopologies[0].MatchLabelExpressions[0].Values,
		node.Labels[corev1.LabelTopologyZone],
	)
}
