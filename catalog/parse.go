package catalog

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
)

//go:embed data/types.csv
var typesCSV []byte

//go:embed data/regions.csv
var regionsCSV []byte

//go:embed data/offerings.csv
var offeringsCSV []byte

// parse reads the embedded files. They are ours and generated, so a row that
// does not read is a broken build: it panics with the row.
func parse() *table {
	t := &table{typeAt: map[string]int{}, regionAt: map[string]int{}}
	for _, r := range rows(typesCSV) {
		t.types = append(t.types, r.instanceType())
	}
	sortTypes(t.types)
	for i := range t.types {
		t.typeAt[t.types[i].Name] = i
	}
	for _, r := range rows(regionsCSV) {
		t.regionAt[r.text("region")] = len(t.regions)
		t.regions = append(
			t.regions,
			Region{r.text("region"), r.text("name"), strings.Fields(r.text("zone_ids")), r.text("parent")},
		)
		if r.text("parent") == "" {
			t.proper++
		}
		t.offerings = append(t.offerings, make([]offering, len(t.types)))
	}
	region := 0
	for _, r := range rows(offeringsCSV) {
		if name := r.text("region"); name != "" {
			region = t.regionAt[name]
		}
		t.offerings[region][t.typeAt[r.text("type")]] = r.offering(t.regions[region])
	}
	return t
}

// row is a record with the columns' places.
type row struct {
	columns map[string]int
	fields  []string
}

func rows(file []byte) []row {
	records, err := csv.NewReader(bytes.NewReader(file)).ReadAll()
	if err != nil || len(records) == 0 {
		panic(fmt.Sprintf("catalog: embedded file: %d records, %v", len(records), err))
	}
	columns := make(map[string]int, len(records[0]))
	for i, name := range records[0] {
		columns[name] = i
	}
	out := make([]row, 0, len(records)-1)
	for _, fields := range records[1:] {
		out = append(out, row{columns, fields})
	}
	return out
}

func (r row) text(column string) string { return r.fields[r.columns[column]] }

func (r row) number(column string) int64 {
	text := r.text(column)
	if text == "" {
		return 0
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("catalog: column %s of %v: %v", column, r.fields, err))
	}
	return v
}

func (r row) count(column string) int { return int(r.number(column)) }

func (r row) flag(column string) bool { return r.text(column) == "1" }

func (r row) instanceType() Type {
	return Type{
		Name: r.text("type"), Category: r.text("category"), Current: r.flag("current"),
		VCPU: r.count("vcpu"), MemoryMiB: r.number("memory_mib"), Arch: r.text("arch"),
		Bare: r.flag("metal"), Hyper: r.text("hypervisor"), Maker: r.text("maker"), ClockMHz: r.count("clock_mhz"),
		GPU:    GPU{r.text("gpu_maker"), r.text("gpu_name"), r.count("gpus"), r.number("gpu_mib")},
		Neuron: Neuron{r.text("neuron_name"), r.count("neurons"), r.count("neuron_cores"), r.number("neuron_mib")},
		Disk:   Disk{r.count("disks"), r.number("disk_gb"), r.text("disk_kind")},
		Network: Network{
			ENIs: r.count("enis"), IPsPerENI: r.count("ips_per_eni"),
			CardENIs: r.cards(), DefaultCard: r.count("default_card"),
			EFAs: r.count("efa"), BranchENIs: r.count("branch_enis"),
			BurstMbps: r.count("burst_mbps"), BaselineMbps: r.count("baseline_mbps"),
			EncryptsInTransit: r.flag("encrypted"),
		},
		EBS:  EBS{r.count("ebs_mbps"), r.count("ebs_max_mbps"), r.flag("ebs_nvme")},
		Spot: r.flag("spot"),
	}
}

// cards reads "2 2 2". A type without the column has one card with all
// interfaces.
func (r row) cards() []int {
	var out []int
	for _, word := range strings.Fields(r.text("card_enis")) {
		n, err := strconv.Atoi(word)
		if err != nil {
			panic(fmt.Sprintf("catalog: network cards of %v: %v", r.fields, err))
		}
		out = append(out, n)
	}
	if len(out) == 0 {
		return []int{r.count("enis")}
	}
	return out
}

func (r row) offering(region Region) offering {
	o := offering{
		onDemand: r.number("on_demand"),
		spot:     Price{r.number("spot_min"), r.number("spot_avg"), r.number("spot_max")},
		band:     r.count("band"),
	}
	digits := r.text("zones")
	for i, id := range region.ZoneIDs {
		if digits == "" || strings.Contains(digits, id[len(id)-1:]) {
			o.zones |= 1 << i
		}
	}
	return o
}
