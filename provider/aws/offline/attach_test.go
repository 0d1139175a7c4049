package offline_test

import (
	"testing"

	"github.com/dovetail-sh/dovetail/catalog"
	"github.com/dovetail-sh/dovetail/provider/aws/offline"
)

// EC2's documentation has these numbers; where none is told the driver's assumption counts.
func TestLimitsOfVolumesThatAreNotShared(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int32{
		"m7i.large": 32, "c7a.medium": 32, "r7i.12xlarge": 32, "m7i.16xlarge": 48, "m7a.24xlarge": 64,
		"r7a.32xlarge": 88, "m7i.48xlarge": 128, "m7i.metal-24xl": 39, "m7i.metal-48xl": 79, "m7i-flex.2xlarge": 32,
		"r8g.24xlarge": 64, "m8gd.metal-24xl": 39, "g6.48xlarge": 128, "p5.48xlarge": 128, "i7ie.3xlarge": 32,
		"m6i.large": 0, "m7g.16xlarge": 0, "c7gn.metal": 0, "g5.48xlarge": 0, "t3.large": 0, "u7i-12tb.224xlarge": 0,
	} {
		info, ok := offline.Describe(&catalog.Type{Name: name, Arch: "x86_64"})
		var got int32
		if ok && info.EbsInfo != nil && info.EbsInfo.MaximumEbsAttachments != nil {
			got = *info.EbsInfo.MaximumEbsAttachments
		}
		if got != want {
			t.Errorf("%s takes %d volumes, want %d", name, got, want)
		}
	}
}
