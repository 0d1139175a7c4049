package offline

import (
	"slices"
	"strconv"
	"strings"
)

// dedicated are families before the eighth generation whose EBS volumes have a limit of their own, apart from network
// interfaces and disks inside.
var dedicated = []string{
	"c7a", "c7i", "c7i-flex", "f2", "g6", "g6e", "gr6", "hpc7a", "i7ie", "m7a", "m7i", "m7i-flex", "p5", "p5e", "p5en",
	"r7a", "r7i", "r7iz", "trn2",
}

// attachments is how many EBS volumes machines of a type take, as EC2 documents it by size: 0 for a type whose limit is
// shared, or is not known.
func attachments(name string) int {
	family, size, _ := strings.Cut(name, ".")
	if !slices.Contains(dedicated, family) && generation(family) < 8 {
		return 0
	}
	size, metal := strings.CutPrefix(size, "metal-")
	number, unit := strings.TrimRight(size, "xlarge"), strings.TrimLeft(size, "0123456789")
	n, err := strconv.Atoi(number)
	switch {
	case metal && err == nil && n <= 24:
		return 39
	case metal && err == nil:
		return 79
	case metal:
		return 0
	case size == "medium", size == "large", size == "xlarge":
		return 32
	case err != nil || unit != "xlarge":
		return 0
	}
	return bySize(n)
}

// bySize is the limit of so many times an xlarge.
func bySize(n int) int {
	switch {
	case n <= 12:
		return 32
	case n < 24:
		return 48
	case n < 32:
		return 64
	case n < 48:
		return 88
	}
	return 128
}

// generation of a family: 7 for m7i-flex; 0 for none.
func generation(family string) int {
	i := strings.IndexAny(family, "0123456789")
	if i < 0 {
		return 0
	}
	end := i
	for end < len(family) && family[end] >= '0' && family[end] <= '9' {
		end++
	}
	n, err := strconv.Atoi(family[i:end])
	if err != nil {
		return 0
	}
	return n
}
