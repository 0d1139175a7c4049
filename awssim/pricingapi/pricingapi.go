// Package pricingapi answers the Pricing API for EC2 instances and for EKS, in
// the price list's own JSON, from the catalogue of all regions.
package pricingapi

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
	"github.com/dovetail-sh/dovetail/catalog"
)

// New makes Pricing.
func New() wire.API {
	return wire.API{Name: wire.Pricing, Target: "AWSPriceListService", Actions: wire.Service{
		"GetProducts":        wire.Handle(getProducts),
		"DescribeServices":   wire.Handle(describeServices),
		"GetAttributeValues": wire.Handle(attributeValues),
	}}
}

type getProductsIn struct {
	ServiceCode   string
	FormatVersion string
	Filters       []struct{ Type, Field, Value string }
	MaxResults    *int
	NextToken     string

	half bool
}

// Halve has the answer hold half a page.
func (in *getProductsIn) Halve() { in.half = true }

type getProductsOut struct {
	FormatVersion string
	PriceList     []string // each a product in JSON
	NextToken     string   `json:",omitempty"`
}

func getProducts(_ context.Context, _ *wire.Call, in *getProductsIn) (*getProductsOut, error) {
	most := 100
	if in.MaxResults != nil {
		most = *in.MaxResults
	}
	if most < 1 || most > 100 {
		return nil, apierror.New("InvalidParameterException", "MaxResults must be from 1 to 100, got %d.", most)
	}
	if in.half {
		most = (most + 1) / 2
	}
	skip, err := position(in.NextToken)
	if err != nil {
		return nil, err
	}
	items, err := in.items()
	if err != nil {
		return nil, err
	}
	out := &getProductsOut{FormatVersion: "aws_v1", PriceList: []string{}}
	at := 0
	for one := range items {
		kept, err := in.matches(one)
		if err != nil {
			return nil, err
		}
		if !kept {
			continue
		}
		at++
		if at <= skip {
			continue
		}
		if len(out.PriceList) == most {
			out.NextToken = base64.RawURLEncoding.EncodeToString([]byte("skip " + strconv.Itoa(at-1)))
			return out, nil
		}
		product, err := json.Marshal(one.product())
		if err != nil {
			return nil, fmt.Errorf("encoding the price of %s: %w", one.text, err)
		}
		out.PriceList = append(out.PriceList, string(product))
	}
	return out, nil
}

// items lists what a service sells, less what the two filters that nearly all
// callers give rule out before its attributes are written.
func (in *getProductsIn) items() (iter.Seq[item], error) {
	if in.ServiceCode != "AmazonEC2" {
		all, err := itemsOf(in.ServiceCode)
		return slices.Values(all), err
	}
	wanted := map[string]string{}
	for _, f := range in.Filters {
		wanted[f.Field] = f.Value
	}
	fits := func(field, value string) bool { return wanted[field] == "" || wanted[field] == value }
	return func(yield func(item) bool) {
		for _, region := range places() {
			if !fits("regionCode", region.Name) {
				continue
			}
			for _, t := range catalog.Offered(region.Name) {
				if fits("instanceType", t.Name) && !each(region, t, yield) {
					return
				}
			}
		}
	}, nil
}

// each gives all prices of a type in a region: by tenancy and operating system.
func each(region catalog.Region, t *catalog.Type, yield func(item) bool) bool {
	linux, sold := catalog.OnDemand(region.Name, t.Name)
	if !sold {
		return true
	}
	for _, system := range []string{linuxSystem, windowsSystem} {
		for _, tenancy := range tenancies(t) {
			price := linux
			if tenancy == dedicated {
				price = world.DedicatedPrice(t, price)
			}
			if system == windowsSystem {
				var runs bool
				if price, runs = world.WindowsPrice(t, price); !runs {
					continue
				}
			}
			text := fmt.Sprintf("On Demand %s %s Instance Hour", system, t.Name)
			if !yield(
				item{attributes: attributes(region, t, tenancy, system), micro: price, unit: "Hrs", text: text},
			) {
				return false
			}
		}
	}
	return true
}

// position reads a NextToken. The price list never changes, so a count is
// enough.
func position(token string) (int, error) {
	if token == "" {
		return 0, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	rest, ok := strings.CutPrefix(string(raw), "skip ")
	n, numErr := strconv.Atoi(rest)
	if err != nil || !ok || numErr != nil {
		return 0, apierror.New("InvalidNextTokenException", "The pagination token is invalid.")
	}
	return n, nil
}

// places is all that has prices: the regions, and the groups of Local Zones.
func places() []catalog.Region {
	out := slices.Clone(catalog.Regions())
	for _, region := range catalog.Regions() {
		out = append(out, catalog.LocalZones(region.Name)...)
	}
	return out
}

// Tenancies, in the words of the price list.
const (
	shared    = "Shared"
	dedicated = "Dedicated"
)

// Operating systems, in the words of the price list.
const (
	linuxSystem   = "Linux"
	windowsSystem = "Windows"
)

// tenancies are those that the list has prices of a type for. It calls all bare metal dedicated.
func tenancies(t *catalog.Type) []string {
	switch {
	case t.Bare:
		return []string{dedicated}
	case world.TakesDedicated(t):
		return []string{shared, dedicated}
	}
	return []string{shared}
}

// attributes are what products can be filtered by.
func attributes(region catalog.Region, t *catalog.Type, tenancy, system string) map[string]string {
	family := "Compute Instance"
	if t.Bare {
		family = "Compute Instance (bare metal)"
	}
	storage := "EBS only"
	if t.Disk.Count > 0 {
		storage = fmt.Sprintf("%d x %d %s", t.Disk.Count, t.Disk.SizeGB, strings.ToUpper(t.Disk.Kind))
	}
	return map[string]string{
		"productFamily":     family,
		"tenancy":           tenancy,
		"serviceCode":       "AmazonEC2",
		"servicecode":       "AmazonEC2",
		"servicename":       "Amazon Elastic Compute Cloud",
		"regionCode":        region.Name,
		"location":          region.Location,
		"locationType":      map[bool]string{true: "AWS Region", false: "AWS Local Zone"}[region.Parent == ""],
		"instanceType":      t.Name,
		"instanceFamily":    t.Category,
		"vcpu":              strconv.Itoa(t.VCPU),
		"memory":            strconv.FormatFloat(float64(t.MemoryMiB)/1024, 'f', -1, 64) + " GiB",
		"storage":           storage,
		"operatingSystem":   system,
		"preInstalledSw":    "NA",
		"licenseModel":      "No License required",
		"capacitystatus":    "Used",
		"marketoption":      "OnDemand",
		"operation":         map[string]string{linuxSystem: "RunInstances", windowsSystem: "RunInstances:0002"}[system],
		"currentGeneration": map[bool]string{true: "Yes", false: "No"}[t.Current],
	}
}

func (in *getProductsIn) matches(one item) (bool, error) {
	for _, f := range in.Filters {
		value, has := one.attributes[f.Field]
		switch {
		case f.Type != "TERM_MATCH":
			return false, apierror.New(
				"InvalidParameterException",
				"Filters of type %q are not simulated: use TERM_MATCH.",
				f.Type,
			)
		case !has && !slices.Contains(attributeNames[in.ServiceCode], f.Field) && f.Field != "serviceCode":
			return false, apierror.New("InvalidParameterException", "The attribute %q is unknown.", f.Field)
		case !has || !strings.EqualFold(value, f.Value):
			return false, nil
		}
	}
	return true, nil
}

// Codes that AWS's price list uses for all hourly on-demand terms.
const (
	offerTermCode = "JRTCKXETXF"
	rateCode      = "6YS6EN2CT7"
	published     = "2025-05-28T00:00:00Z" // the date of the catalogue's prices
)

type product struct {
	Product struct {
		Family     string            `json:"productFamily"`
		Attributes map[string]string `json:"attributes"`
		SKU        string            `json:"sku"`
	} `json:"product"`
	ServiceCode string `json:"serviceCode"`
	Terms       struct {
		OnDemand map[string]term
	} `json:"terms"`
	Version     string `json:"version"`
	Publication string `json:"publicationDate"`
}

type term struct {
	Dimensions map[string]dimension `json:"priceDimensions"`
	SKU        string               `json:"sku"`
	Effective  string               `json:"effectiveDate"`
	Code       string               `json:"offerTermCode"`
	Attributes map[string]string    `json:"termAttributes"`
}

type dimension struct {
	Unit        string            `json:"unit"`
	Begin       string            `json:"beginRange"`
	End         string            `json:"endRange"`
	Description string            `json:"description"`
	AppliesTo   []string          `json:"appliesTo"`
	Rate        string            `json:"rateCode"`
	Price       map[string]string `json:"pricePerUnit"`
}

// product writes an item as the price list does. Its SKU depends on what it is alone.
func (i item) product() product {
	have := maps.Clone(i.attributes)
	h := fnv.New64a()
	for _, name := range slices.Sorted(maps.Keys(have)) {
		fmt.Fprint(h, name, have[name])
	}
	sku := strings.ToUpper(strconv.FormatUint(h.Sum64()|1<<63, 36))[:12]
	usd := dollarsOf(i.micro)
	var p product
	p.ServiceCode, p.Version, p.Publication = have["serviceCode"], "20250528000000", published
	p.Product.Family, p.Product.SKU = have["productFamily"], sku
	delete(have, "productFamily")
	delete(have, "serviceCode")
	p.Product.Attributes = have
	key := sku + "." + offerTermCode
	p.Terms.OnDemand = map[string]term{key: {
		Dimensions: map[string]dimension{key + "." + rateCode: {
			Unit: i.unit, Begin: "0", End: "Inf", AppliesTo: []string{}, Rate: key + "." + rateCode,
			Description: fmt.Sprintf("$%s per %s", strings.TrimRight(usd, "0"), i.text),
			Price:       map[string]string{"USD": usd},
		}},
		SKU: sku, Effective: published, Code: offerTermCode, Attributes: map[string]string{},
	}}
	return p
}

type servicesIn struct {
	ServiceCode string
	MaxResults  *int
	NextToken   string
}

type serviceInfo struct {
	ServiceCode    string
	AttributeNames []string
}

type servicesOut struct {
	FormatVersion string
	Services      []serviceInfo
}

func describeServices(_ context.Context, _ *wire.Call, in *servicesIn) (*servicesOut, error) {
	out := &servicesOut{FormatVersion: "aws_v1", Services: []serviceInfo{}}
	for _, code := range slices.Sorted(maps.Keys(attributeNames)) {
		if in.ServiceCode == "" || in.ServiceCode == code {
			out.Services = append(out.Services, serviceInfo{code, attributeNames[code]})
		}
	}
	if in.ServiceCode != "" && len(out.Services) == 0 {
		return nil, apierror.New(
			"NotFoundException",
			"Service code %q is not simulated: use AmazonEC2 or AmazonEKS.",
			in.ServiceCode,
		)
	}
	return out, nil
}

type valuesIn struct {
	ServiceCode, AttributeName string
	MaxResults                 *int
	NextToken                  string
}

type attributeText struct{ Value string }

type valuesOut struct{ AttributeValues []attributeText }

// attributeValues lists what an attribute can be, in one page.
func attributeValues(_ context.Context, _ *wire.Call, in *valuesIn) (*valuesOut, error) {
	query := getProductsIn{ServiceCode: in.ServiceCode}
	items, err := query.items()
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for one := range items {
		if value, has := one.attributes[in.AttributeName]; has {
			seen[value] = true
		}
	}
	out := &valuesOut{AttributeValues: []attributeText{}}
	for _, value := range slices.Sorted(maps.Keys(seen)) {
		out.AttributeValues = append(out.AttributeValues, attributeText{value})
	}
	return out, nil
}
