// Package selector turns the selector terms of an EC2NodeClass into filters of the EC2 API.
package selector

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// Tags selects what carries all these tags; the value "*" stands for any.
func Tags(tags map[string]string) []ec2types.Filter {
	var filters []ec2types.Filter
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if tags[key] == "*" {
			filters = append(filters, One("tag-key", key))
			continue
		}
		filters = append(filters, One("tag:"+key, tags[key]))
	}
	return filters
}

// One is a filter that any of the values satisfies.
func One(name string, values ...string) ec2types.Filter {
	return ec2types.Filter{Name: awssdk.String(name), Values: values}
}

// Key is the same for equal terms.
func Key(terms any) string {
	text, err := json.Marshal(terms) // maps marshal in the order of their keys
	if err != nil {
		return fmt.Sprint(terms)
	}
	return string(text)
}
