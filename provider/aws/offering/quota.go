package offering

import (
	"strings"
	"time"
)

// limitFor is how long a quota that AWS said is used up is believed to be.
const limitFor = 3 * time.Minute

// limitKey is what AWS counts together: vCPUs of a group of families under one capacity type.
type limitKey struct{ capacityType, families string }

// limit says that machines of vcpus or more are beyond the quota.
type limit struct {
	vcpus int64
	until time.Time
}

// families groups instance families as EC2's quotas of vCPUs do, by how their names begin. The longest beginning
// counts; all others are "standard".
var families = []struct{ prefix, group string }{
	{"hpc", "hpc"}, {"inf", "inf"}, {"trn", "trn"}, {"dl", "dl"}, {"vt", "g"}, {"u-", "u"}, {"u7", "u"},
	{"f", "f"}, {"g", "g"}, {"p", "p"}, {"x", "x"},
}

func familiesOf(instanceType string) string {
	for _, f := range families {
		if strings.HasPrefix(instanceType, f.prefix) {
			return f.group
		}
	}
	return "standard"
}

// NoteQuota remembers that a quota leaves no room for a machine of a type with so many vCPUs. Smaller machines of the
// same families may still fit.
func (s *Shortage) NoteQuota(capacityType, instanceType string, vcpus int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweepLocked()
	key := limitKey{capacityType, familiesOf(instanceType)}
	next := limit{vcpus: vcpus, until: s.clock.Now().Add(limitFor)}
	old, known := s.limits[key]
	if known {
		next.vcpus = min(next.vcpus, old.vcpus)
	}
	s.limits[key] = next
	if !known || next.vcpus < old.vcpus {
		s.revision++
	}
}

// Beyond reports whether a quota leaves no room for a machine of a type with so many vCPUs just now.
func (s *Shortage) Beyond(capacityType, instanceType string, vcpus int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweepLocked()
	l, ok := s.limits[limitKey{capacityType, familiesOf(instanceType)}]
	return ok && vcpus >= l.vcpus
}
