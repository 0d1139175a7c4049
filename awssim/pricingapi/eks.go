package pricingapi

import (
	"fmt"
	"strings"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/catalog"
)

// What EKS charges, in micro-dollars an hour: the same in all regions here,
// though AWS asks more in some.
const (
	clusterHour    = 100_000 // a cluster in standard support
	fargateCPUHour = 40_480  // a vCPU of Fargate
	fargateGBHour  = 4_445   // a GB of memory of Fargate
	autoPercent    = 12      // of a machine's price on demand, for Auto Mode
)

// eksItems lists what EKS sells in a region: clusters, Fargate and the fee of Auto
// Mode for each type.
func eksItems(region catalog.Region) []item {
	base := func(operation, family, usage string) map[string]string {
		return map[string]string{
			"productFamily": family,
			"serviceCode":   "AmazonEKS",
			"servicecode":   "AmazonEKS",
			"servicename":   "Amazon Elastic Container Service for Kubernetes",
			"regionCode":    region.Name,
			"location":      region.Location,
			"locationType":  "AWS Region",
			"operation":     operation,
			"usagetype":     usagePrefix(region.Name) + usage,
		}
	}
	cluster := base("CreateOperation", "Compute", "AmazonEKS-Hours:perCluster")
	cpu := base("", "Compute", "Fargate-vCPU-Hours:perCPU")
	cpu["cputype"] = "perCPU"
	memory := base("", "Compute", "Fargate-GB-Hours")
	memory["memorytype"] = "perGB"
	out := []item{
		{attributes: cluster, micro: clusterHour, unit: "Hours", text: "Amazon EKS cluster usage"},
		{attributes: cpu, micro: fargateCPUHour, unit: "hours", text: "Fargate vCPU hour"},
		{attributes: memory, micro: fargateGBHour, unit: "hours", text: "Fargate GB hour"},
	}
	for _, t := range catalog.Offered(region.Name) {
		price, sold := catalog.OnDemand(region.Name, t.Name)
		if !sold {
			continue
		}
		auto := base("EKSAutoUsage", "EKS", "EKS-Auto:"+t.Name)
		auto["instanceType"] = t.Name
		out = append(
			out,
			item{attributes: auto, micro: price * autoPercent / 100, unit: "Hrs", text: "EKS Auto Mode, " + t.Name},
		)
	}
	return out
}

// usagePrefix is how the price list begins usage types of a region.
func usagePrefix(region string) string {
	if region == "us-east-1" {
		return "USE1-"
	}
	parts := strings.Split(region, "-")
	if len(parts) < 3 {
		return ""
	}
	return strings.ToUpper(parts[0]+parts[1][:1]+parts[len(parts)-1]) + "-"
}

// item is one thing that the price list has besides EC2's instances.
type item struct {
	attributes map[string]string
	micro      int64
	unit, text string
}

// itemsOf lists the items of a service in all regions.
func itemsOf(service string) ([]item, error) {
	if service != "AmazonEKS" {
		return nil, apierror.New(
			"NotFoundException",
			"Service code %q is not simulated: use AmazonEC2 or AmazonEKS.",
			service,
		)
	}
	var out []item
	for _, region := range catalog.Regions() {
		out = append(out, eksItems(region)...)
	}
	return out, nil
}

// attributeNames are those of each service's products, for DescribeServices.
var attributeNames = map[string][]string{
	"AmazonEC2": {
		"capacitystatus",
		"currentGeneration",
		"instanceFamily",
		"instanceType",
		"licenseModel",
		"location",
		"locationType",
		"marketoption",
		"memory",
		"operatingSystem",
		"operation",
		"preInstalledSw",
		"productFamily",
		"regionCode",
		"servicecode",
		"servicename",
		"storage",
		"tenancy",
		"vcpu",
	},
	"AmazonEKS": {
		"cputype",
		"instanceType",
		"location",
		"locationType",
		"memorytype",
		"operation",
		"productFamily",
		"regionCode",
		"servicecode",
		"servicename",
		"usagetype",
	},
}

// dollarsOf writes micro-dollars as the price list does.
func dollarsOf(micro int64) string {
	return fmt.Sprintf("%d.%06d0000", micro/1_000_000, micro%1_000_000)
}
