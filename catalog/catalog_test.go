package catalog_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dovetail-sh/dovetail/catalog"
)

func TestGoldenTypes(t *testing.T) {
	t.Parallel()
	type golden struct {
		VCPU, ENIPods int
		MemoryMiB     int64
		Arch, Hyper   string
		GPU           catalog.GPU
		Neuron        catalog.Neuron
		DiskGB        int64
		EFAs, Cards   int
		Baseline      int
	}
	cases := map[string]golden{
		"m5.large":  {VCPU: 2, MemoryMiB: 8192, ENIPods: 29, Arch: "x86_64", Hyper: "nitro", Cards: 1, Baseline: 750},
		"a1.large":  {VCPU: 2, MemoryMiB: 4096, ENIPods: 29, Arch: "arm64", Hyper: "nitro", Cards: 1, Baseline: 750},
		"m5.metal":  {VCPU: 96, MemoryMiB: 393216, ENIPods: 737, Arch: "x86_64", Cards: 1, Baseline: 25000},
		"t3.medium": {VCPU: 2, MemoryMiB: 4096, ENIPods: 17, Arch: "x86_64", Hyper: "nitro", Cards: 1, Baseline: 256},
		"p5.48xlarge": {
			VCPU:      192,
			MemoryMiB: 2097152,
			ENIPods:   100,
			Arch:      "x86_64",
			Hyper:     "nitro",
			DiskGB:    30400,
			GPU: catalog.GPU{
				Maker:     "NVIDIA",
				Name:      "H100",
				Count:     8,
				MemoryMiB: 81920,
			},
			EFAs:     32,
			Cards:    32,
			Baseline: 3200000,
		},
		"g4ad.16xlarge": {
			VCPU:      64,
			MemoryMiB: 262144,
			ENIPods:   234,
			Arch:      "x86_64",
			Hyper:     "nitro",
			DiskGB:    2400,
			GPU: catalog.GPU{
				Maker:     "AMD",
				Name:      "Radeon Pro V520",
				Count:     4,
				MemoryMiB: 8192,
			},
			Cards:    1,
			Baseline: 25000,
		},
		"inf2.24xlarge": {
			VCPU:      96,
			MemoryMiB: 393216,
			ENIPods:   737,
			Arch:      "x86_64",
			Hyper:     "nitro",
			Neuron: catalog.Neuron{
				Name:      "Inferentia2",
				Count:     6,
				Cores:     2,
				MemoryMiB: 32768,
			},
			Cards:    1,
			Baseline: 50000,
		},
	}
	for name, want := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ty, ok := catalog.Lookup(name)
			if !ok {
				t.Fatalf("Lookup(%q) found nothing", name)
			}
			got := golden{
				VCPU: ty.VCPU, MemoryMiB: ty.MemoryMiB, ENIPods: ty.ENIPods(), Arch: ty.Arch, Hyper: ty.Hyper,
				GPU: ty.GPU, Neuron: ty.Neuron, DiskGB: ty.Disk.TotalGB(), EFAs: ty.Network.EFAs,
				Cards: len(ty.Network.CardENIs), Baseline: ty.Network.BaselineMbps,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: -want +got\n%s", name, diff)
			}
		})
	}
}

func TestGoldenPrices(t *testing.T) {
	t.Parallel()
	if got, ok := catalog.OnDemand("us-east-1", "m5.large"); !ok || got != 96_000 {
		t.Errorf("OnDemand(us-east-1, m5.large) = %d, %v; want 96000 micro-dollars", got, ok)
	}
	want := catalog.Price{Min: 31_500, Avg: 31_680, Max: 38_300}
	if got, ok := catalog.Spot("us-east-1", "m5.large"); !ok || got != want {
		t.Errorf("Spot(us-east-1, m5.large) = %+v, %v; want %+v", got, ok, want)
	}
	if got := catalog.InterruptionBand("us-east-1", "m5.large"); got != 3 {
		t.Errorf("InterruptionBand(us-east-1, m5.large) = %d, want 3 (10 to 15 %%)", got)
	}
	zones := []string{"use1-az1", "use1-az2", "use1-az4", "use1-az5", "use1-az6"}
	if diff := cmp.Diff(zones, catalog.ZoneIDs("us-east-1", "m5.large")); diff != "" {
		t.Errorf("zones of m5.large: -want +got\n%s", diff)
	}
}

func TestUnknownNamesAreNotFound(t *testing.T) {
	t.Parallel()
	if _, ok := catalog.Lookup("m5.huge"); ok {
		t.Error("Lookup(m5.huge) found a type that does not exist")
	}
	if _, ok := catalog.OnDemand("mars-north-1", "m5.large"); ok {
		t.Error("OnDemand knows a price on mars-north-1")
	}
	if _, ok := catalog.Spot("us-east-1", "m5.huge"); ok {
		t.Error("Spot knows a price of m5.huge")
	}
	if got := catalog.ZoneIDs("us-east-1", "m5.huge"); len(got) != 0 {
		t.Errorf("ZoneIDs of m5.huge = %v, want none", got)
	}
}

// The whole table obeys what every user of it relies on.
func TestEveryRowIsUsable(t *testing.T) {
	t.Parallel()
	if got := len(catalog.Types()); got < 900 {
		t.Errorf("%d types, want at least 900", got)
	}
	if got := len(catalog.Regions()); got != 34 {
		t.Errorf("%d regions, want 34", got)
	}
	for _, ty := range catalog.Types() {
		if ty.VCPU < 1 || ty.MemoryMiB < 1 || ty.Arch == "" || ty.Network.ENIs < 1 || ty.ENIPods() < 4 {
			t.Errorf(
				"%s: vCPU %d, memory %d MiB, arch %q, pods %d",
				ty.Name,
				ty.VCPU,
				ty.MemoryMiB,
				ty.Arch,
				ty.ENIPods(),
			)
		}
		if ty.GPU.Count > 0 && (ty.GPU.Name == "" || ty.GPU.MemoryMiB == 0) {
			t.Errorf("%s: incomplete GPU %+v", ty.Name, ty.GPU)
		}
	}
	offerings := 0
	for _, region := range catalog.Regions() {
		for _, ty := range catalog.Offered(region.Name) {
			offerings++
			checkOffering(t, region.Name, ty.Name)
		}
	}
	if offerings < 15_000 {
		t.Errorf("%d offerings, want at least 15000", offerings)
	}
}

func checkOffering(t *testing.T, region, name string) {
	t.Helper()
	onDemand, sold := catalog.OnDemand(region, name)
	spot, traded := catalog.Spot(region, name)
	if !sold && !traded {
		t.Errorf("%s in %s is offered without any price", name, region)
	}
	if traded && (spot.Min > spot.Avg || spot.Avg > spot.Max || spot.Min <= 0) {
		t.Errorf("%s in %s: spot prices out of order: %+v", name, region, spot)
	}
	if traded && sold && spot.Min > onDemand {
		t.Errorf("%s in %s: spot from %d above on demand %d", name, region, spot.Min, onDemand)
	}
}

// A Local Zone sells few types, at prices of its own, and is no region.
func TestLocalZones(t *testing.T) {
	t.Parallel()
	var boston catalog.Region
	for _, group := range catalog.LocalZones("us-east-1") {
		if group.Name == "us-east-1-bos-1" {
			boston = group
		}
		if len(catalog.Offered(group.Name)) == 0 {
			t.Errorf("%s sells nothing", group.Name)
		}
	}
	want := catalog.Region{
		Name:     "us-east-1-bos-1",
		Location: "US East (Boston)",
		ZoneIDs:  []string{"use1-bos1-az1"},
		Parent:   "us-east-1",
	}
	if diff := cmp.Diff(want, boston); diff != "" {
		t.Fatalf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff([]string{"us-east-1-bos-1a"}, boston.LocalZoneNames()); diff != "" {
		t.Errorf("names: -want +got\n%s", diff)
	}
	if got, ok := catalog.OnDemand(boston.Name, "t3.medium"); !ok || got != 52_000 {
		t.Errorf("t3.medium costs %d, %v in Boston; want 52000, a quarter more than in Virginia", got, ok)
	}
	if _, ok := catalog.OnDemand(boston.Name, "m7i.large"); ok {
		t.Error("Boston sells m7i.large")
	}
	if diff := cmp.Diff(boston.ZoneIDs, catalog.ZoneIDs(boston.Name, "t3.medium")); diff != "" {
		t.Errorf("zones of t3.medium: -want +got\n%s", diff)
	}
	if _, ok := catalog.LookupRegion(boston.Name); ok {
		t.Error("Boston is a region")
	}
	for zone, want := range map[string]string{"us-east-1a": "us-east-1", "us-east-1-bos-1a": "us-east-1-bos-1",
		"": "us-east-1"} {
		if got := catalog.PricedAs("us-east-1", zone); got != want {
			t.Errorf("zone %q is priced as %s, want %s", zone, got, want)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	catalog.Types()
	for b.Loop() {
		catalog.OnDemand("us-east-1", "m5.large")
	}
}
