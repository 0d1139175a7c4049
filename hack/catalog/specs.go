package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/amazon-vpc-resource-controller-k8s/pkg/aws/vpc"
)

// spec is one row of types.csv.
type spec struct {
	instance
	limits   *vpc.VPCLimits
	burst    int // Mbps
	baseline int // Mbps; 0 when nothing published lets it be derived
}

// specs keeps the types that both sources know.
func specs(all []instance) []spec {
	var out []spec
	for _, in := range all {
		limits := vpc.Limits[in.Name]
		if limits == nil {
			continue // retired, or never usable in a VPC
		}
		burst, fixed := networkMbps(in.Network)
		s := spec{instance: in, limits: limits, burst: burst}
		if fixed {
			s.baseline = burst
		}
		out = append(out, s)
	}
	deriveBaselines(out)
	return out
}

// networkMbps reads the published wording: "Up to 12.5 Gigabit", "4x 100
// Gigabit", "25 Gigabit". The old words (Low, Moderate, High) have no figure.
func networkMbps(text string) (mbps int, fixed bool) {
	rest, upTo := strings.CutPrefix(text, "Up to ")
	rest, ok := strings.CutSuffix(rest, " Gigabit")
	if !ok {
		return 0, false
	}
	cards := 1
	if n, each, many := strings.Cut(rest, "x "); many {
		cards, _ = strconv.Atoi(n)
		rest = each
	}
	gbps, err := strconv.ParseFloat(rest, 64)
	if err != nil {
		return 0, false
	}
	return cards * int(gbps*1000), !upTo
}

// deriveBaselines gives each "up to" size its share, by vCPU, of the smallest
// size of its family with a fixed figure, which is what AWS publishes for
// nearly all families. "Up to 10 Gigabit" and the T families have tables.
func deriveBaselines(all []spec) {
	smallest := map[string]spec{}
	for _, s := range all {
		if was, seen := smallest[family(s.Name)]; s.baseline > 0 && (!seen || s.VCPU < was.VCPU) {
			smallest[family(s.Name)] = s
		}
	}
	for i, s := range all {
		if s.baseline > 0 || s.burst == 0 {
			continue
		}
		fixed, ok := smallest[family(s.Name)]
		switch tenGigabit := upToTen[size(s.Name)]; {
		case s.burst == 10_000 && tenGigabit > 0:
			all[i].baseline = tenGigabit
		case strings.HasPrefix(s.Name, "t3") || strings.HasPrefix(s.Name, "t4"):
			all[i].baseline = burstable[size(s.Name)]
		case ok:
			all[i].baseline = min(fixed.baseline*s.VCPU/fixed.VCPU, s.burst)
		}
	}
}

func family(name string) string { f, _, _ := strings.Cut(name, "."); return f }
func size(name string) string   { _, s, _ := strings.Cut(name, "."); return s }

// maker is the processor's manufacturer as the EC2 API spells it.
func (s spec) maker() string {
	switch p := s.Processor; {
	case strings.Contains(p, "AMD"):
		return "AMD"
	case strings.Contains(p, "Graviton"):
		return "AWS"
	case strings.Contains(p, "Apple"):
		return "Apple"
	default:
		return "Intel"
	}
}

// clockMHz is the sustained clock; 0 when not published.
func (s spec) clockMHz() int {
	text := strings.TrimSuffix(strings.TrimPrefix(s.Clock, "Up to "), " GHz")
	ghz, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0
	}
	return int(ghz*1000 + 0.5)
}

// gpu splits the published model into maker and name. Neuron devices, which
// the source counts as GPUs, are none.
func (s spec) gpu() (maker, name string, count, memoryMiB int) {
	maker, name, _ = strings.Cut(s.GPUModel, " ")
	if s.GPU == 0 || (maker != "NVIDIA" && maker != "AMD") {
		return "", "", 0, 0
	}
	for _, word := range []string{"Tesla ", "GRID "} {
		name = strings.TrimPrefix(name, word)
	}
	name = strings.TrimSuffix(name, " Tensor Core")
	if name == "T4G" {
		name = "T4g" // the API's spelling
	}
	return maker, name, s.GPU, int(s.GPUMemory*1024) / s.GPU
}

func (s spec) efa() int {
	if n, ok := efaCount[s.Name]; ok {
		return n
	}
	if slices.Contains(strings.Fields(efaTypes[family(s.Name)]), size(s.Name)) {
		return max(1, len(s.limits.NetworkCards))
	}
	return 0
}

// cards writes the interfaces of each network card, "2 2 2 2".
func (s spec) cards() string {
	var out []string
	for _, c := range s.limits.NetworkCards {
		out = append(out, strconv.FormatInt(c.MaximumNetworkInterfaces, 10))
	}
	return strings.Join(out, " ")
}

func (s spec) hasSpot() bool {
	for _, p := range s.Pricing {
		if len(p.Linux.Spot) > 0 {
			return true
		}
	}
	return false
}

var typeHeader = strings.Fields(`type category current vcpu memory_mib arch
	gpu_maker gpu_name gpus gpu_mib neuron_name neurons neuron_cores neuron_mib
	disks disk_gb disk_kind enis ips_per_eni card_enis default_card efa burst_mbps baseline_mbps
	ebs_mbps ebs_max_mbps ebs_nvme hypervisor metal maker clock_mhz branch_enis encrypted spot`)

func typesCSV(all []spec) []byte {
	var buf bytes.Buffer
	w := csv.NewWriter(&buf)
	_ = w.Write(typeHeader)
	for _, s := range all {
		_ = w.Write(s.row())
	}
	w.Flush()
	return buf.Bytes()
}

func (s spec) row() []string {
	gpuMaker, gpuName, gpus, gpuMiB := s.gpu()
	n := neuron[s.Name]
	disks, diskGB, diskKind := 0, 0, ""
	if st := s.Storage; st != nil {
		disks, diskGB, diskKind = st.Devices, st.Size, "hdd"
		if st.SSD || st.NVMe {
			diskKind = "ssd"
		}
		if st.NVMe {
			diskKind = "nvme"
		}
	}
	branch := 0
	if s.limits.IsTrunkingCompatible {
		branch = s.limits.BranchInterface
	}
	var arches []string
	for _, a := range s.Arch {
		if a != "i386" {
			arches = append(arches, a)
		}
	}
	var row []string
	for _, v := range []any{
		s.Name, s.Family, flag01(s.Generation == "current"), s.VCPU, int(s.MemoryGiB * 1024), strings.Join(arches, " "),
		gpuMaker, gpuName, gpus, gpuMiB, n.name, n.devices, n.cores, n.memoryM,
		disks, diskGB, diskKind, s.limits.Interface, s.limits.IPv4PerInterface, s.cards(),
		s.limits.DefaultNetworkCardIndex,
		s.efa(), s.burst, s.baseline,
		s.EBSBaseline, s.EBSMax, flag01(s.EBSNVMe), s.limits.Hypervisor, flag01(s.limits.IsBareMetal), s.maker(),
		s.clockMHz(),
		branch, flag01(encrypted[family(s.Name)]), flag01(s.hasSpot()),
	} {
		text := fmt.Sprint(v)
		if text == "0" {
			text = "" // empty reads as zero
		}
		row = append(row, text)
	}
	return row
}

func flag01(b bool) int {
	if b {
		return 1
	}
	return 0
}
