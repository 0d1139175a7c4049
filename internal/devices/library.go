package devices

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/dynamic-resource-allocation/cel"
	"k8s.io/dynamic-resource-allocation/structured"
)

// features are what kube-scheduler 1.36 has switched on by default.
var features = structured.Features{
	AdminAccess:            true,
	ConsumableCapacity:     true,
	DeviceBindingAndStatus: true,
	DeviceTaints:           true,
	PartitionableDevices:   true,
	PrioritizedList:        true,
}

const (
	// expressions is how many CEL expressions are kept compiled.
	expressions = 512
	// maxKinds is how many kinds of devices are remembered before the library starts anew.
	maxKinds = 1 << 16
)

// Library remembers what is dear to work out and does not change: compiled expressions, and which kinds of devices they
// select. One serves all Worlds of a process. It is safe for concurrent use.
type Library struct {
	mu    sync.Mutex
	cel   *cel.Cache
	kinds map[string]int
	known []kind
	sets  map[string]*set

	seen  map[*resourcev1.Device]int                        // kinds that were told before
	likes map[*resourcev1.ResourceSlice][]resourcev1.Device // what other nodes of the kind publish
}

// kind is what devices have in common that selectors can tell apart.
type kind struct {
	driver string
	device *resourcev1.Device
	load   map[string]int64 // what one takes of its pool's counters, all sets together
}

// shared reports whether a device may be allocated several times.
func (k *kind) shared() bool {
	return k.device.AllowMultipleAllocations != nil && *k.device.AllowMultipleAllocations
}

// set says which kinds a wish selects.
type set struct {
	bits  []uint64
	done  int   // kinds that have been looked at
	fault error // an expression that does not compile
}

// NewLibrary makes an empty Library.
func NewLibrary() *Library {
	l := &Library{cel: cel.NewCache(expressions, cel.Features{EnableConsumableCapacity: true})}
	l.forget()
	return l
}

func (l *Library) forget() {
	l.kinds, l.known, l.sets = map[string]int{}, nil, map[string]*set{}
	l.seen, l.likes = map[*resourcev1.Device]int{}, map[*resourcev1.ResourceSlice][]resourcev1.Device{}
}

// begin makes room: kinds that are numbered afterwards stay valid until the next call.
func (l *Library) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.known) > maxKinds || len(l.seen)+len(l.likes) > 4*maxKinds {
		l.forget()
	}
}

// kindOf is the number of a device's kind.
func (l *Library) kindOf(driver string, d *resourcev1.Device) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, ok := l.seen[d]
	if !ok {
		i = l.number(driver, d)
		l.seen[d] = i
	}
	return i
}

func (l *Library) number(driver string, d *resourcev1.Device) int {
	nameless := *d
	nameless.Name, nameless.ConsumesCounters, nameless.NodeName, nameless.NodeSelector = "", nil, nil, nil
	load := loadOf(d)
	text, _ := json.Marshal([]any{driver, nameless, load}) // plain data: it cannot fail
	key := string(text)
	i, ok := l.kinds[key]
	if !ok {
		i = len(l.known)
		l.kinds[key] = i
		l.known = append(l.known, kind{driver: driver, device: d, load: load})
	}
	return i
}

// impersonal are the devices of a slice as another node of the kind would publish them: without the attributes that
// name the single device.
func (l *Library) impersonal(s *resourcev1.ResourceSlice) []resourcev1.Device {
	l.mu.Lock()
	defer l.mu.Unlock()
	out, ok := l.likes[s]
	if !ok {
		out = make([]resourcev1.Device, len(s.Spec.Devices))
		for i, d := range s.Spec.Devices {
			out[i] = impersonal(d)
		}
		l.likes[s] = out
	}
	return out
}

func loadOf(d *resourcev1.Device) (load map[string]int64) {
	for _, c := range d.ConsumesCounters {
		for name, counter := range c.Counters {
			if load == nil {
				load = map[string]int64{}
			}
			load[name] += counter.Value.Value()
		}
	}
	return load
}

// among are the kinds that a set holds.
func (l *Library) among(bits []uint64) (out []*kind) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.known {
		if has(bits, i) {
			out = append(out, &l.known[i])
		}
	}
	return out
}

// selected is which of the kinds known so far a wish selects. The error is about its expressions.
func (l *Library) selected(w *wish) (bits []uint64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sets[w.key]
	if s == nil {
		s = &set{fault: l.fault(w)}
		l.sets[w.key] = s
	}
	for ; s.done < len(l.known); s.done++ {
		ok := s.fault == nil && l.takes(w, &l.known[s.done])
		if len(s.bits) <= s.done/64 {
			s.bits = append(s.bits, 0)
		}
		if ok {
			s.bits[s.done/64] |= 1 << (s.done % 64)
		}
	}
	return slices.Clone(s.bits), s.fault
}

// fault is what is wrong with the expressions of a wish.
func (l *Library) fault(w *wish) error {
	for _, expression := range w.expressions {
		if compiled := l.cel.GetOrCompile(expression); compiled.Error != nil {
			return fmt.Errorf("CEL expression %q: %w", expression, compiled.Error)
		}
	}
	return nil
}

// takes reports whether a wish may be given a device of a kind. An expression that fails on a device does not select
// it: whether it is looked at at all on a node is the allocator's affair.
func (l *Library) takes(w *wish, k *kind) bool {
	for _, t := range k.device.Taints {
		if t.Effect != resourcev1.DeviceTaintEffectNone && !tolerated(t, w.tolerations) {
			return false
		}
	}
	for _, expression := range w.expressions {
		compiled := l.cel.GetOrCompile(expression)
		ok, _, err := compiled.DeviceMatches(context.Background(), cel.Device{
			Driver: k.driver, AllowMultipleAllocations: k.device.AllowMultipleAllocations,
			Attributes: k.device.Attributes, Capacity: k.device.Capacity,
		})
		if err != nil || !ok {
			return false
		}
	}
	return true
}

func tolerated(t resourcev1.DeviceTaint, list []resourcev1.DeviceToleration) bool {
	return slices.ContainsFunc(list, func(o resourcev1.DeviceToleration) bool {
		return (o.Key == "" && o.Operator == resourcev1.DeviceTolerationOpExists || o.Key == t.Key) &&
			(o.Operator == resourcev1.DeviceTolerationOpExists || o.Value == t.Value) &&
			(o.Effect == "" || o.Effect == t.Effect)
	})
}

// within reports whether every member of a is one of b.
func within(a, b []uint64) bool {
	for i, w := range a {
		if i < len(b) {
			w &^= b[i]
		}
		if w != 0 {
			return false
		}
	}
	return true
}

func overlap(a, b []uint64) bool {
	for i := range min(len(a), len(b)) {
		if a[i]&b[i] != 0 {
			return true
		}
	}
	return false
}

func has(bits []uint64, i int) bool { return i/64 < len(bits) && bits[i/64]&(1<<(i%64)) != 0 }
