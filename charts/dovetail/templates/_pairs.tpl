{{- /* Fails if settings contradict each other: each pair names both, and what to do. */ -}}
{{- define "dovetail.pairs" -}}
{{- $s := .Values.settings -}}
{{- $g := default (dict) $s.featureGates -}}
{{- $a := default (dict) $s.awsFeatureGates -}}
{{- $repair := include "dovetail.on" (list . $g.nodeRepair) -}}
{{- $faults := list -}}
{{- range $gate, $value := dict "featureGates.terminateFirstRepair" $g.terminateFirstRepair "awsFeatureGates.rebootForRepair" $a.rebootForRepair -}}
{{- if and (include "dovetail.on" (list $ $value)) (not $repair) -}}
{{- $faults = append $faults (printf "settings.%s is about how nodes are repaired, and settings.featureGates.nodeRepair is off: set it, or unset settings.%s" $gate $gate) -}}
{{- end -}}
{{- end -}}
{{- if and (include "dovetail.on" (list . $s.useOpenReservations)) (not (include "dovetail.on" (list . $g.reservedCapacity))) -}}
{{- $faults = append $faults "settings.useOpenReservations needs settings.featureGates.reservedCapacity, which is off" -}}
{{- end -}}
{{- /* A cluster whose pods are refused one by one is worse than a release that is refused whole. */ -}}
{{- $asked := dict "enableDRA" $s.enableDRA "awsFeatureGates.draEFA" $a.draEFA "awsFeatureGates.draNVIDIAGPU" $a.draNVIDIAGPU -}}
{{- range $path, $value := $asked -}}
{{- if include "dovetail.on" (list $ $value) -}}
{{- $faults = append $faults (printf "settings.%s asks for dynamic resources, for which this version does not plan: unset it" $path) -}}
{{- end -}}
{{- end -}}
{{- if eq (include "dovetail.text" (list . $s.ignoreDRARequests)) "false" -}}
{{- $faults = append $faults "settings.ignoreDRARequests is false, and this version does not plan for dynamic resources: unset it" -}}
{{- end -}}
{{- with $faults -}}
{{- fail (printf "settings that contradict each other:\n  - %s\n" (join "\n  - " .)) -}}
{{- end -}}
{{- end -}}
