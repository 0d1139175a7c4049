package crdtest

import "fmt"

func launchSettingCases() []Case {
	var cases []Case
	for _, part := range [][]Case{diskCases(), interfaceCases(), metadataCases(), trackingCases()} {
		cases = append(cases, part...)
	}
	return of("EC2NodeClass", append(
		cases,
		Case{Name: "instance store", Create: `spec.instanceStorePolicy = RAID0`},
		Case{
			Name:   "unknown instance store policy",
			Create: `spec.instanceStorePolicy = RAID1`,
			At:     "spec.instanceStorePolicy",
			Says:   sayEnum + `"RAID0"`,
		},
		Case{
			Name:   "negative ipPrefixCount",
			Create: `spec.ipPrefixCount = -1`,
			At:     "spec.ipPrefixCount",
			Says:   "greater than or equal to 0",
		},
		Case{Name: "enclaves on", Create: `spec.enclaveOptions = {enabled: true}`},
		Case{Name: "enclaves off", Create: `spec.enclaveOptions = {enabled: false}`},
		Case{
			Name:   "enclaves neither on nor off",
			Create: `spec.enclaveOptions = {}`,
			At:     "spec.enclaveOptions.enabled",
			Says:   sayRequired,
		},
		Case{Name: "nested virtualization", Create: `spec.cpuOptions = {nestedVirtualization: enabled}`},
		Case{
			Name:   "unknown nested virtualization",
			Create: `spec.cpuOptions = {nestedVirtualization: maybe}`,
			At:     "spec.cpuOptions.nestedVirtualization",
			Says:   sayEnum + `"enabled", "disabled"`,
		},
	))
}

func diskCases() []Case {
	const at = "spec.blockDeviceMappings"
	ebs := func(name, value, field, says string) Case {
		c := Case{Name: "disk " + name, Create: at + ` = [{deviceName: /dev/xvda, ebs: {` + value + `}}]`}
		if says != "" {
			c.At, c.Says = at+"[0].ebs"+field, says
		}
		return c
	}
	cases := []Case{
		ebs(
			"with everything",
			`deleteOnTermination: true, encrypted: true, iops: 3000, kmsKeyID: k, snapshotID: snap-1, throughput: 125, volumeInitializationRate: 100, volumeSize: 20Gi, volumeType: gp3`,
			"",
			"",
		),
		ebs("from a snapshot", `snapshotID: snap-1`, "", ""),
		ebs("without size and snapshot", `volumeType: gp3`, "", "ebs needs snapshotID or volumeSize"),
		ebs(
			"with a rate without a snapshot",
			`volumeSize: 20Gi, volumeInitializationRate: 100`,
			"",
			"volumeInitializationRate needs snapshotID",
		),
		ebs(
			"with a rate of 99",
			`snapshotID: s, volumeInitializationRate: 99`,
			".volumeInitializationRate",
			"greater than or equal to 100",
		),
		ebs(
			"with a rate of 301",
			`snapshotID: s, volumeInitializationRate: 301`,
			".volumeInitializationRate",
			"less than or equal to 300",
		),
		ebs(
			"of an unknown type",
			`volumeSize: 20Gi, volumeType: gp9`,
			".volumeType",
			sayEnum+`"standard", "io1", "io2", "gp2", "sc1", "st1", "gp3"`,
		),
		{Name: "one root disk", Create: at + ` = [{rootVolume: true}, {rootVolume: false}, {}]`},
		{
			Name:   "two root disks",
			Create: at + ` = [{rootVolume: true}, {rootVolume: true}]`,
			At:     at,
			Says:   "only one of blockDeviceMappings may be the rootVolume",
		},
		{
			Name:   "51 disks",
			Create: at + ` = [` + times(51, `{deviceName: d}`) + `]`,
			At:     at,
			Says:   "at most 50 items",
		},
	}
	for _, size := range []string{"1Gi", "59000Gi", "1G", "64000G", "18Ti", "58Ti", "64T"} {
		cases = append(cases, ebs("of "+size, `volumeSize: `+size, "", ""))
	}
	for _, size := range []string{"0Gi", "59001Gi", "64001G", "59Ti", "65T", "20", "20Mi", "Ti"} {
		cases = append(cases, ebs("of "+size, `volumeSize: "`+size+`"`, ".volumeSize", sayPattern))
	}
	return cases
}

func interfaceCases() []Case {
	const at = "spec.networkInterfaces"
	const primary = `{networkCardIndex: 0, deviceIndex: 0, interfaceType: interface}`
	nics := func(name, list, field, says string) Case {
		c := Case{Name: "network interfaces " + name, Create: at + ` = [` + list + `]`}
		if says != "" {
			c.At, c.Says = at+field, says
		}
		return c
	}
	return []Case{
		nics("none", ``, "", ""),
		nics(
			"on two cards",
			primary+`, {networkCardIndex: 0, deviceIndex: 1, interfaceType: efa-only}, {networkCardIndex: 1, deviceIndex: 1, interfaceType: efa-only}`,
			"",
			"",
		),
		nics(
			"without a primary",
			`{networkCardIndex: 0, deviceIndex: 1, interfaceType: interface}`,
			"",
			"networkInterfaces need one of type 'interface' with networkCardIndex 0 and deviceIndex 0",
		),
		nics(
			"with a primary that is efa-only",
			`{networkCardIndex: 0, deviceIndex: 0, interfaceType: efa-only}`,
			"",
			"networkInterfaces need one of type 'interface'",
		),
		nics(
			"at the same place",
			primary+`, `+primary,
			"",
			"networkInterfaces cannot have the same networkCardIndex and deviceIndex twice",
		),
		nics(
			"with two efa-only on a card",
			primary+`, {networkCardIndex: 0, deviceIndex: 1, interfaceType: efa-only}, {networkCardIndex: 0, deviceIndex: 2, interfaceType: efa-only}`,
			"",
			"networkInterfaces can have only one of type 'efa-only' on each network card",
		),
		nics(
			"without a card",
			primary+`, {deviceIndex: 1, interfaceType: interface}`,
			"[1].networkCardIndex",
			sayRequired,
		),
		nics(
			"without a device",
			primary+`, {networkCardIndex: 0, interfaceType: interface}`,
			"[1].deviceIndex",
			sayRequired,
		),
		nics("without a type", primary+`, {networkCardIndex: 0, deviceIndex: 1}`, "[1].interfaceType", sayRequired),
		nics(
			"with a negative card",
			primary+`, {networkCardIndex: -1, deviceIndex: 1, interfaceType: interface}`,
			"[1].networkCardIndex",
			"greater than or equal to 0",
		),
		nics(
			"with a negative device",
			primary+`, {networkCardIndex: 0, deviceIndex: -1, interfaceType: interface}`,
			"[1].deviceIndex",
			"greater than or equal to 0",
		),
		nics(
			"of an unknown type",
			primary+`, {networkCardIndex: 0, deviceIndex: 1, interfaceType: efa}`,
			"[1].interfaceType",
			sayEnum+`"interface", "efa-only"`,
		),
		nics("151 of them", manyInterfaces(151), "", "at most 150 items"),
		nics("150 of them", manyInterfaces(150), "", ""),
	}
}

func manyInterfaces(n int) string {
	list := ""
	for i := range n {
		list += fmt.Sprintf("{networkCardIndex: 0, deviceIndex: %d, interfaceType: interface}, ", i)
	}
	return list[:len(list)-2]
}

func metadataCases() []Case {
	const at = "spec.metadataOptions"
	option := func(name, value, field, says string) Case {
		return Case{
			Name:   "metadata options with " + name,
			Create: at + ` = {` + value + `}`,
			At:     at + field,
			Says:   says,
		}
	}
	return []Case{
		{
			Name:    "metadata options in part",
			Create:  at + ` = {httpPutResponseHopLimit: 64}`,
			Becomes: at + ` = {httpEndpoint: enabled, httpProtocolIPv6: disabled, httpPutResponseHopLimit: 64, httpTokens: required}`,
		},
		{
			Name:    "metadata options without a hop limit",
			Create:  at + ` = {httpTokens: optional}`,
			Becomes: at + ` = {httpEndpoint: enabled, httpProtocolIPv6: disabled, httpPutResponseHopLimit: 1, httpTokens: optional}`,
		},
		option("an unknown endpoint", `httpEndpoint: maybe`, ".httpEndpoint", sayEnum+`"enabled", "disabled"`),
		option("an unknown IPv6", `httpProtocolIPv6: maybe`, ".httpProtocolIPv6", sayEnum+`"enabled", "disabled"`),
		option("unknown tokens", `httpTokens: maybe`, ".httpTokens", sayEnum+`"required", "optional"`),
		option("no hops", `httpPutResponseHopLimit: 0`, ".httpPutResponseHopLimit", "greater than or equal to 1"),
		option("65 hops", `httpPutResponseHopLimit: 65`, ".httpPutResponseHopLimit", "less than or equal to 64"),
	}
}

func trackingCases() []Case {
	const at = "spec.connectionTracking"
	cases := []Case{
		{
			Name:   "connection tracking",
			Create: at + ` = {tcpEstablishedTimeout: 432000, udpStreamTimeout: 180, udpTimeout: 60}`,
		},
		{
			Name:   "connection tracking of nothing",
			Create: at + ` = {}`,
			At:     at,
			Says:   "connectionTracking needs tcpEstablishedTimeout, udpStreamTimeout or udpTimeout",
		},
	}
	for _, limit := range []struct {
		field    string
		min, max int
	}{
		{"tcpEstablishedTimeout", 60, 432000},
		{"udpStreamTimeout", 60, 180},
		{"udpTimeout", 30, 60},
	} {
		cases = append(cases,
			Case{Name: limit.field + " alone", Create: fmt.Sprintf("%s = {%s: %d}", at, limit.field, limit.min)},
			Case{Name: limit.field + " too short", Create: fmt.Sprintf("%s = {%s: %d}", at, limit.field, limit.min-1),
				At: at + "." + limit.field, Says: fmt.Sprintf("greater than or equal to %d", limit.min)},
			Case{Name: limit.field + " too long", Create: fmt.Sprintf("%s = {%s: %d}", at, limit.field, limit.max+1),
				At: at + "." + limit.field, Says: fmt.Sprintf("less than or equal to %d", limit.max)},
		)
	}
	return cases
}
