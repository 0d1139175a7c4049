package main

import "strings"

// region is a region with the ids of its availability zones, or a group of Local Zones.
type region struct {
	name   string
	long   string // the Pricing API's "location"
	zones  []string
	parent string // of a group of Local Zones, the region that it belongs to
}

// regions are the 34 AWS regions that the published prices cover. The zone ids
// of regions which the published file lists no zones for come from AWS's
// "AZ IDs" page; wavelength zones are left out.
var regions = []region{
	{"af-south-1", "Africa (Cape Town)", ids("afs1", 1, 2, 3), ""},
	{"ap-east-1", "Asia Pacific (Hong Kong)", ids("ape1", 1, 2, 3), ""},
	{"ap-northeast-1", "Asia Pacific (Tokyo)", ids("apne1", 1, 2, 4), ""},
	{"ap-northeast-2", "Asia Pacific (Seoul)", ids("apne2", 1, 2, 3, 4), ""},
	{"ap-northeast-3", "Asia Pacific (Osaka)", ids("apne3", 1, 2, 3), ""},
	{"ap-south-1", "Asia Pacific (Mumbai)", ids("aps1", 1, 2, 3), ""},
	{"ap-south-2", "Asia Pacific (Hyderabad)", ids("aps2", 1, 2, 3), ""},
	{"ap-southeast-1", "Asia Pacific (Singapore)", ids("apse1", 1, 2, 3), ""},
	{"ap-southeast-2", "Asia Pacific (Sydney)", ids("apse2", 1, 2, 3), ""},
	{"ap-southeast-3", "Asia Pacific (Jakarta)", ids("apse3", 1, 2, 3), ""},
	{"ap-southeast-4", "Asia Pacific (Melbourne)", ids("apse4", 1, 2, 3), ""},
	{"ap-southeast-5", "Asia Pacific (Malaysia)", ids("apse5", 1, 2, 3), ""},
	{"ap-southeast-7", "Asia Pacific (Thailand)", ids("apse7", 1, 2, 3), ""},
	{"ca-central-1", "Canada (Central)", ids("cac1", 1, 2, 4), ""},
	{"ca-west-1", "Canada West (Calgary)", ids("caw1", 1, 2, 3), ""},
	{"eu-central-1", "EU (Frankfurt)", ids("euc1", 1, 2, 3), ""},
	{"eu-central-2", "Europe (Zurich)", ids("euc2", 1, 2, 3), ""},
	{"eu-north-1", "EU (Stockholm)", ids("eun1", 1, 2, 3), ""},
	{"eu-south-1", "EU (Milan)", ids("eus1", 1, 2, 3), ""},
	{"eu-south-2", "Europe (Spain)", ids("eus2", 1, 2, 3), ""},
	{"eu-west-1", "EU (Ireland)", ids("euw1", 1, 2, 3), ""},
	{"eu-west-2", "EU (London)", ids("euw2", 1, 2, 3), ""},
	{"eu-west-3", "EU (Paris)", ids("euw3", 1, 2, 3), ""},
	{"il-central-1", "Israel (Tel Aviv)", ids("ilc1", 1, 2, 3), ""},
	{"me-central-1", "Middle East (UAE)", ids("mec1", 1, 2, 3), ""},
	{"me-south-1", "Middle East (Bahrain)", ids("mes1", 1, 2, 3), ""},
	{"mx-central-1", "Mexico (Central)", ids("mxc1", 1, 2, 3), ""},
	{"sa-east-1", "South America (Sao Paulo)", ids("sae1", 1, 2, 3), ""},
	{"us-east-1", "US East (N. Virginia)", ids("use1", 1, 2, 3, 4, 5, 6), ""},
	{"us-east-2", "US East (Ohio)", ids("use2", 1, 2, 3), ""},
	{"us-gov-east-1", "AWS GovCloud (US-East)", ids("usge1", 1, 2, 3), ""},
	{"us-gov-west-1", "AWS GovCloud (US-West)", ids("usgw1", 1, 2, 3), ""},
	{"us-west-1", "US West (N. California)", ids("usw1", 1, 3), ""},
	{"us-west-2", "US West (Oregon)", ids("usw2", 1, 2, 3, 4), ""},
}

// localZones are the groups of Local Zones that the published prices cover; no spot price of theirs was published.
// Their zones are named by the group with a letter. All have one but Los Angeles.
var localZones = []region{
	{"af-south-1-los-1", "Nigeria (Lagos)", ids("afs1-los1", 1), "af-south-1"},
	{"ap-northeast-1-tpe-1", "Taiwan (Taipei)", ids("apne1-tpe1", 1), "ap-northeast-1"},
	{"ap-south-1-ccu-1", "India (Kolkata)", ids("aps1-ccu1", 1), "ap-south-1"},
	{"ap-south-1-del-1", "India (Delhi)", ids("aps1-del1", 1), "ap-south-1"},
	{"ap-southeast-1-bkk-1", "Thailand (Bangkok)", ids("apse1-bkk1", 1), "ap-southeast-1"},
	{"ap-southeast-1-mnl-1", "Philippines (Manila)", ids("apse1-mnl1", 1), "ap-southeast-1"},
	{"ap-southeast-2-akl-1", "New Zealand (Auckland)", ids("apse2-akl1", 1), "ap-southeast-2"},
	{"ap-southeast-2-per-1", "Australia (Perth)", ids("apse2-per1", 1), "ap-southeast-2"},
	{"eu-central-1-ham-1", "Germany (Hamburg)", ids("euc1-ham1", 1), "eu-central-1"},
	{"eu-central-1-waw-1", "Poland (Warsaw)", ids("euc1-waw1", 1), "eu-central-1"},
	{"eu-north-1-cph-1", "Denmark (Copenhagen)", ids("eun1-cph1", 1), "eu-north-1"},
	{"eu-north-1-hel-1", "Finland (Helsinki)", ids("eun1-hel1", 1), "eu-north-1"},
	{"me-south-1-mct-1", "Oman (Muscat)", ids("mes1-mct1", 1), "me-south-1"},
	{"us-east-1-atl-1", "US East (Atlanta)", ids("use1-atl1", 1), "us-east-1"},
	{"us-east-1-bos-1", "US East (Boston)", ids("use1-bos1", 1), "us-east-1"},
	{"us-east-1-bue-1", "Argentina (Buenos Aires)", ids("use1-bue1", 1), "us-east-1"},
	{"us-east-1-chi-1", "US East (Chicago)", ids("use1-chi1", 1), "us-east-1"},
	{"us-east-1-dfw-1", "US East (Dallas)", ids("use1-dfw1", 1), "us-east-1"},
	{"us-east-1-iah-1", "US East (Houston)", ids("use1-iah1", 1), "us-east-1"},
	{"us-east-1-lim-1", "Peru (Lima)", ids("use1-lim1", 1), "us-east-1"},
	{"us-east-1-mci-1", "US East (Kansas City 2)", ids("use1-mci1", 1), "us-east-1"},
	{"us-east-1-mia-1", "US East (Miami)", ids("use1-mia1", 1), "us-east-1"},
	{"us-east-1-msp-1", "US East (Minneapolis)", ids("use1-msp1", 1), "us-east-1"},
	{"us-east-1-nyc-1", "US East (New York City)", ids("use1-nyc1", 1), "us-east-1"},
	{"us-east-1-phl-1", "US East (Philadelphia)", ids("use1-phl1", 1), "us-east-1"},
	{"us-east-1-qro-1", "Mexico (Queretaro)", ids("use1-qro1", 1), "us-east-1"},
	{"us-east-1-scl-1", "Chile (Santiago)", ids("use1-scl1", 1), "us-east-1"},
	{"us-west-2-den-1", "US West (Denver)", ids("usw2-den1", 1), "us-west-2"},
	{"us-west-2-hnl-1", "US West (Honolulu)", ids("usw2-hnl1", 1), "us-west-2"},
	{"us-west-2-las-1", "US West (Las Vegas)", ids("usw2-las1", 1), "us-west-2"},
	{"us-west-2-lax-1", "US West (Los Angeles)", ids("usw2-lax1", 1, 2), "us-west-2"},
	{"us-west-2-pdx-1", "US West (Portland)", ids("usw2-pdx1", 1), "us-west-2"},
	{"us-west-2-phx-1", "US West (Phoenix)", ids("usw2-phx1", 1), "us-west-2"},
	{"us-west-2-sea-1", "US West (Seattle)", ids("usw2-sea1", 1), "us-west-2"},
}

func ids(prefix string, numbers ...byte) []string {
	var out []string
	for _, n := range numbers {
		out = append(out, prefix+"-az"+string('0'+n))
	}
	return out
}

// neuron is what AWS documents of its own accelerators, by instance type:
// devices, cores of each, and memory of each in MiB.
var neuron = map[string]struct {
	name                    string
	devices, cores, memoryM int
}{
	"inf1.xlarge":    {"Inferentia", 1, 4, 8192},
	"inf1.2xlarge":   {"Inferentia", 1, 4, 8192},
	"inf1.6xlarge":   {"Inferentia", 4, 4, 8192},
	"inf1.24xlarge":  {"Inferentia", 16, 4, 8192},
	"inf2.xlarge":    {"Inferentia2", 1, 2, 32768},
	"inf2.8xlarge":   {"Inferentia2", 1, 2, 32768},
	"inf2.24xlarge":  {"Inferentia2", 6, 2, 32768},
	"inf2.48xlarge":  {"Inferentia2", 12, 2, 32768},
	"trn1.2xlarge":   {"Trainium", 1, 2, 32768},
	"trn1.32xlarge":  {"Trainium", 16, 2, 32768},
	"trn1n.32xlarge": {"Trainium", 16, 2, 32768},
	"trn2.48xlarge":  {"Trainium2", 16, 8, 98304},
}

// efaTypes lists the types with Elastic Fabric Adapter, from AWS's page of
// supported types: family to sizes. Their EFA count is the number of network
// cards, except where efaCount says otherwise.
var efaTypes = map[string]string{
	"m5dn": "24xlarge metal", "m5n": "24xlarge metal", "m5zn": "12xlarge metal",
	"m6a": "48xlarge metal", "m6i": "32xlarge metal", "m6id": "32xlarge metal",
	"m6idn": "32xlarge metal", "m6in": "32xlarge metal", "m7a": "48xlarge metal-48xl",
	"m7g": "16xlarge metal", "m7gd": "16xlarge metal", "m7i": "48xlarge metal-48xl",
	"m8g": "24xlarge 48xlarge metal-24xl metal-48xl", "m8gd": "24xlarge 48xlarge metal-24xl metal-48xl",
	"c5n": "9xlarge 18xlarge metal", "c6a": "48xlarge metal", "c6gn": "16xlarge",
	"c6i": "32xlarge metal", "c6id": "32xlarge metal", "c6in": "32xlarge metal",
	"c7a": "48xlarge metal-48xl", "c7g": "16xlarge metal", "c7gd": "16xlarge metal",
	"c7gn": "16xlarge metal", "c7i": "48xlarge metal-48xl",
	"c8g": "24xlarge 48xlarge metal-24xl metal-48xl", "c8gd": "24xlarge 48xlarge metal-24xl metal-48xl",
	"r5dn": "24xlarge metal", "r5n": "24xlarge metal", "r6a": "48xlarge metal",
	"r6i": "32xlarge metal", "r6id": "32xlarge metal", "r6idn": "32xlarge metal",
	"r6in": "32xlarge metal", "r7a": "48xlarge metal-48xl", "r7g": "16xlarge metal",
	"r7gd": "16xlarge metal", "r7i": "48xlarge metal-48xl", "r7iz": "32xlarge metal-32xl",
	"r8g": "24xlarge 48xlarge metal-24xl metal-48xl", "r8gd": "24xlarge 48xlarge metal-24xl metal-48xl",
	"u7i-12tb": "224xlarge", "u7in-16tb": "224xlarge", "u7in-24tb": "224xlarge", "u7in-32tb": "224xlarge",
	"x2idn": "32xlarge metal", "x2iedn": "32xlarge metal", "x2iezn": "12xlarge metal",
	"x8g":  "24xlarge 48xlarge metal-24xl metal-48xl",
	"i3en": "12xlarge 24xlarge metal", "i4g": "16xlarge", "i4i": "32xlarge metal",
	"i7ie": "48xlarge", "im4gn": "16xlarge",
	"dl1": "24xlarge", "g4dn": "8xlarge 12xlarge 16xlarge metal",
	"g5": "8xlarge 12xlarge 16xlarge 24xlarge 48xlarge", "g6": "8xlarge 12xlarge 16xlarge 24xlarge 48xlarge",
	"g6e": "8xlarge 12xlarge 16xlarge 24xlarge 48xlarge", "gr6": "8xlarge",
	"f2": "48xlarge", "inf1": "24xlarge", "p3dn": "24xlarge", "p4d": "24xlarge", "p4de": "24xlarge",
	"p5": "48xlarge", "p5e": "48xlarge", "p5en": "48xlarge",
	"trn1": "32xlarge", "trn1n": "32xlarge", "vt1": "24xlarge",
	"hpc7g": "4xlarge 8xlarge 16xlarge",
}

// efaCount holds the types with more EFAs than network cards, or with a card
// count that the published limits lack.
var efaCount = map[string]int{
	"p4d.24xlarge": 4, "p4de.24xlarge": 4, "p5.48xlarge": 32, "p5e.48xlarge": 32, "p5en.48xlarge": 16,
	"trn1.32xlarge": 8, "trn1n.32xlarge": 16, "dl1.24xlarge": 4,
}

// encrypted lists the families which encrypt traffic between instances in
// transit, from AWS's data-protection page.
var encrypted = words(`m5dn m5n m5zn m6a m6i m6id m6idn m6in m7a m7g m7gd m7i m7i-flex m8g m8gd
	c5n c6a c6gn c6i c6id c6in c7a c7g c7gd c7gn c7i c7i-flex c8g c8gd
	r5dn r5n r6a r6i r6id r6idn r6in r7a r7g r7gd r7i r7iz r8g r8gd
	u-3tb1 u-6tb1 u-9tb1 u-12tb1 u-18tb1 u-24tb1 u7i-6tb u7i-8tb u7i-12tb u7in-16tb u7in-24tb u7in-32tb
	x2idn x2iedn x2iezn x8g d3 d3en i3en i4g i4i i7ie i8g im4gn is4gen
	dl1 f2 g4ad g4dn g5 g6 g6e gr6 inf1 inf2 p3dn p4d p4de p5 p5e p5en trn1 trn1n vt1 hpc7g`)

// burstable holds the baseline of the T families in Mbps, from AWS's network
// tables: they have no size with a fixed figure to derive it from.
var burstable = map[string]int{
	"nano": 32, "micro": 64, "small": 128, "medium": 256, "large": 512, "xlarge": 1024, "2xlarge": 2048,
}

// upToTen holds the baseline in Mbps of sizes with "Up to 10 Gigabit", the same
// in each family that has them (AWS's network tables).
var upToTen = map[string]int{
	"medium": 500, "large": 750, "xlarge": 1250, "2xlarge": 2500, "4xlarge": 5000,
}

func words(s string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(s) {
		out[w] = true
	}
	return out
}
