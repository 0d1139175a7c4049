package translate

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// volumeNeeds is what a pod's volumes ask of its node.
type volumeNeeds struct {
	terms    []shape.NodeTerm
	attach   []shape.Attach
	bindings []shape.Binding
	refused  string
}

// maxVolumeTerms bounds the alternatives that several volumes make together; zones are a handful.
const maxVolumeTerms = 256

// VolumeClaims lists the names of the volume claims, in the pod's namespace, that a pod uses, each once.
func VolumeClaims(pod *corev1.Pod) []string {
	var out []string
	for i := range pod.Spec.Volumes {
		if name := claimName(pod, &pod.Spec.Volumes[i]); name != "" && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// claimName is the name of a volume's claim, empty for volumes without.
func claimName(pod *corev1.Pod, v *corev1.Volume) string {
	switch {
	case v.PersistentVolumeClaim != nil:
		return v.PersistentVolumeClaim.ClaimName
	case v.Ephemeral != nil && Virtual(pod) && pod.Annotations[standsFor] != "":
		return v.Name + "-" + pod.Annotations[standsFor] // as a StatefulSet calls it
	case v.Ephemeral != nil:
		return pod.Name + "-" + v.Name
	}
	return ""
}

// wanted is a claim of the pod that is being translated.
type wanted struct {
	*corev1.PersistentVolumeClaim
	name    string
	volume  *corev1.Volume
	shared  string // namespace and name if other pods may use it too, else empty
	pod     *corev1.Pod
	planned bool // the claim does not exist yet: it will be made from a template
}

// volumesOf works out what a pod's volumes ask for; nil for pods without such volumes.
func (in *Interner) volumesOf(pod *corev1.Pod) (*volumeNeeds, error) {
	var list []wanted
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		name := claimName(pod, v)
		if name == "" || slices.ContainsFunc(list, func(c wanted) bool { return c.name == name }) {
			continue
		}
		c := wanted{
			PersistentVolumeClaim: in.world.Claims[types.NamespacedName{Namespace: pod.Namespace, Name: name}],
			name:                  name,
			pod:                   pod,
			volume:                v,
		}
		if c.PersistentVolumeClaim == nil && v.Ephemeral != nil && v.Ephemeral.VolumeClaimTemplate != nil {
			t := v.Ephemeral.VolumeClaimTemplate
			c.PersistentVolumeClaim, c.planned = &corev1.PersistentVolumeClaim{
				ObjectMeta: t.ObjectMeta,
				Spec:       t.Spec,
			}, true
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, nil
	}
	slices.SortStableFunc(
		list,
		func(a, b wanted) int { return a.size().Cmp(*b.size()) },
	) // the order in which they get volumes
	needs := &volumeNeeds{}
	for i := range list {
		if err := in.addClaim(needs, &list[i]); err != nil {
			return needs, err
		}
	}
	slices.SortFunc(needs.attach, func(a, b shape.Attach) int {
		return cmp.Or(cmp.Compare(a.Driver, b.Driver), cmp.Compare(a.Volume, b.Volume))
	})
	return needs, nil
}

// size is how much a claim asks for, 0 if it does not exist.
func (c *wanted) size() *resource.Quantity {
	if c.PersistentVolumeClaim == nil {
		return &resource.Quantity{}
	}
	q := c.Spec.Resources.Requests[corev1.ResourceStorage]
	return &q
}

func (n *volumeNeeds) refuse(words ...string) {
	if n.refused == "" {
		n.refused = strings.Join(words, "")
	}
}

// addClaim adds one volume claim.
func (in *Interner) addClaim(needs *volumeNeeds, c *wanted) error {
	ephemeral := c.volume.Ephemeral != nil
	switch {
	case c.PersistentVolumeClaim == nil:
		needs.refuse("its volume claim ", c.name, " does not exist")
		return nil
	case c.DeletionTimestamp != nil:
		needs.refuse("its volume claim ", c.name, " is being deleted")
		return nil
	case c.Status.Phase == corev1.ClaimLost:
		needs.refuse("its volume claim ", c.name, " has lost its volume")
		return nil
	case ephemeral && !c.planned && !Virtual(c.pod) && !ownedBy(c.PersistentVolumeClaim, c.pod):
		needs.refuse(
			"its volume claim ",
			c.name,
			" was not made for its ephemeral volume ",
			c.volume.Name,
			" but has that one's name",
		)
		return nil
	}
	own := ephemeral || strings.HasSuffix(c.name, "-"+c.pod.Name)
	if !own || in.world.Users[types.NamespacedName{Namespace: c.pod.Namespace, Name: c.name}] > 1 {
		c.shared = c.pod.Namespace + "/" + c.name
	}
	if c.shared != "" && !ephemeral && slices.Contains(c.Spec.AccessModes, corev1.ReadWriteOncePod) {
		needs.bindings = append(needs.bindings, shape.Binding{Claim: c.shared, Once: true})
	}
	if pv := in.volumeOf(c.PersistentVolumeClaim); pv != nil || c.Spec.VolumeName != "" {
		return in.addBound(needs, c, pv)
	}
	return in.addUnbound(needs, c)
}

// ownedBy reports whether a claim was made for a pod. Pods that no server has seen have no UID to compare.
func ownedBy(claim *corev1.PersistentVolumeClaim, pod *corev1.Pod) bool {
	owner := metav1.GetControllerOf(claim)
	return owner != nil && owner.Kind == "Pod" && owner.Name == pod.Name && owner.UID == pod.UID
}

func (in *Interner) addBound(needs *volumeNeeds, c *wanted, pv *corev1.PersistentVolume) error {
	switch {
	case pv == nil:
		needs.refuse("volume ", c.Spec.VolumeName, " of its volume claim ", c.name, " does not exist")
		return nil
	case pv.Spec.ClaimRef != nil && !claims(pv, c.PersistentVolumeClaim):
		needs.refuse("volume ", pv.Name, " of its volume claim ", c.name, " is the volume of claim ",
			pv.Spec.ClaimRef.Namespace, "/", pv.Spec.ClaimRef.Name)
		return nil
	}
	if !bound(c.PersistentVolumeClaim) && pv.Spec.ClaimRef == nil && !SuitsByName(pv, c.PersistentVolumeClaim) {
		needs.refuse(
			"volume ",
			pv.Name,
			", which its volume claim ",
			c.name,
			" names, does not suit it: its size, class or modes are others",
		)
		return nil
	}
	if disk := DiskOf(pv); disk.Driver != "" {
		a := shape.Attach{Driver: disk.Driver, Volume: c.shared}
		if in.world.Shares(pv) {
			a.Volume = "disk " + disk.Handle // no claim has such a name
		}
		needs.attach = append(needs.attach, a)
	}
	terms, err := volumeTerms(pv, in.world.Aliases)
	if err != nil {
		return err
	}
	needs.and(terms)
	return nil
}

// bound reports whether the volume controller has bound a claim for good.
func bound(claim *corev1.PersistentVolumeClaim) bool {
	_, completed := claim.Annotations["pv.kubernetes.io/bind-completed"]
	return completed || claim.Status.Phase == corev1.ClaimBound
}

// selectedNode is where kube-scheduler writes down for which node a claim's volume is being made.
const selectedNode = "volume.kubernetes.io/selected-node"

// unbindable says why a claim that is not bound never will be by a pod that gets a node; empty if it may. Claims that
// no server has seen may, whatever their class: a volume that is made for one of them may be made anywhere, and has to
// be where the pods are.
func (in *Interner) unbindable(c *wanted, class *storagev1.StorageClass) string {
	name := ClassName(c.PersistentVolumeClaim)
	switch {
	case class == nil && name != nil && *name != "":
		return "storage class " + *name + " of its volume claim " + c.name + " does not exist"
	case class == nil:
		return "its volume claim " + c.name + " is not bound and has no storage class"
	case immediate(class) && (c.UID != "" || c.Status.Phase != "" || c.planned && c.pod.UID != ""):
		return "its volume claim " + c.name + " is not bound yet, and storage class " + class.Name + " does not wait for a node"
	case immediate(class) && Virtual(c.pod) && !settledTopology(class, in.world.Aliases):
		return "storage class " + class.Name + " of its volume claim " + c.name +
			" does not wait for a node: where the volume will be is not known before it is made"
	}
	return ""
}

// addUnbound adds a claim that waits for a node.
func (in *Interner) addUnbound(needs *volumeNeeds, c *wanted) error {
	class := in.world.classOf(c.PersistentVolumeClaim)
	if why := in.unbindable(c, class); why != "" {
		needs.refuse(why)
		return nil
	}
	var misfit *corev1.PersistentVolume
	if !immediate(
		class,
	) { // else the scheduler does not look for a volume, and the volume controller passes that one over
		misfit = in.world.misfit(c.PersistentVolumeClaim, class.Name)
	}
	if misfit != nil {
		elsewhere, ok := notWhere(misfit, in.world.Aliases)
		if !ok || !provisions(class) {
			needs.refuse(
				"volume ",
				misfit.Name,
				" is kept for its volume claim ",
				c.name,
				" and lacks an access mode that the claim asks for",
			)
			return nil
		}
		needs.and(elsewhere)
	}
	if node, chosen := c.Annotations[selectedNode]; chosen {
		needs.and(
			[]shape.NodeTerm{
				{
					Names: []shape.Requirement{
						{Key: metav1.ObjectNameField, Operator: shape.In, Values: []string{node}},
					},
				},
			},
		)
		needs.attach = append(needs.attach, shape.Attach{Driver: csiName(class.Provisioner), Volume: c.shared})
		return nil
	}
	b := shape.Binding{Claim: c.shared, Made: provisions(class)}
	var err error
	var driver string
	if misfit == nil { // else the one that is kept hides the others
		if b.Slots, driver, err = in.slots(c.PersistentVolumeClaim, class.Name); err != nil {
			return err
		}
	}
	if b.Made {
		b.Terms, b.Key, driver = allowedTopologies(
			class,
			in.world.Aliases,
		), keyOf(
			class,
			in.world.Aliases,
		), csiName(
			class.Provisioner,
		)
	}
	if len(b.Slots) == 0 && !b.Made {
		needs.refuse("no volume of storage class ", class.Name, " is free for its volume claim ", c.name)
		return nil
	}
	needs.bind(b, driver)
	return nil
}

// bind adds a claim that gets one of several volumes, of a driver if they all have the same.
func (n *volumeNeeds) bind(b shape.Binding, driver string) {
	if driver != "" {
		n.attach = append(n.attach, shape.Attach{Driver: driver, Volume: b.Claim})
	}
	n.and(anySlot(&b))
	if len(b.Slots) > 0 || b.Claim != "" && b.Key != "" {
		n.bindings = append(n.bindings, b)
	}
}

// anySlot is where one of a claim's volumes can be reached or made; nil for everywhere.
func anySlot(b *shape.Binding) []shape.NodeTerm {
	if b.Made && len(b.Terms) == 0 {
		return nil
	}
	out := slices.Clone(b.Terms)
	for i := range b.Slots {
		if len(b.Slots[i].Terms) == 0 {
			return nil
		}
		for _, t := range b.Slots[i].Terms {
			if !slices.ContainsFunc(out, func(o shape.NodeTerm) bool { return require.SameTerm(o, t) }) {
				out = append(out, t)
			}
		}
	}
	return out
}

// and narrows the terms: one of the old ones and one of the new ones must hold.
func (n *volumeNeeds) and(terms []shape.NodeTerm) {
	both, ok := require.AndTerms(n.terms, terms)
	switch {
	case !ok:
		n.refuse("no node can reach all of its volumes")
	case len(both) > maxVolumeTerms:
		n.refuse("its volumes can be reached in more ways than are looked at")
	default:
		n.terms = both
	}
}
