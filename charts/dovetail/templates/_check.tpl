{{- /* Fails if values are given that are none, all at once, and says of each what was probably meant. */ -}}
{{- define "dovetail.check" -}}
{{- $known := include "dovetail.known" . | fromJson -}}
{{- $found := dict "faults" (list) -}}
{{- include "dovetail.walk" (dict "path" "" "values" .Values "known" $known "found" $found) -}}
{{- $image := .Values.controller.image | default dict -}}
{{- if and (kindIs "map" $image) (contains "karpenter/controller" (toString $image.repository)) -}}
{{- $own := printf "controller.image.repository is the controller of Karpenter, %v; remove controller.image: the chart has one" $image.repository -}}
{{- $_ := set $found "faults" (append $found.faults $own) -}}
{{- end -}}
{{- with $found.faults -}}
{{- fail (printf "values that this chart does not have:\n  - %s\n" (join "\n  - " .)) -}}
{{- end -}}
{{- end -}}

{{- /* Looks at one level of values: a dict of path, values, known and found, to whose faults it adds. */ -}}
{{- define "dovetail.walk" -}}
{{- $at := . -}}
{{- $here := get .known.keys .path | default list -}}
{{- range $key, $value := .values -}}
{{- $path := ternary $key (printf "%s.%s" $at.path $key) (eq $at.path "") -}}
{{- $removed := get $at.known.removed $path -}}
{{- if and (eq $at.path "") (has $key (list "global" "enabled" "tags")) -}}
{{- /* Helm and charts around this one give these. */ -}}
{{- else if $removed -}}
{{- $text := toJson $value | trimAll "\"" -}}
{{- if not (or (empty $value | and (not (kindIs "bool" $value))) (has "*" $removed.harmless) (has $text $removed.harmless)) -}}
{{- $_ := set $at.found "faults" (append $at.found.faults $removed.refusal) -}}
{{- end -}}
{{- else if hasKey $at.known.keys $path -}}
{{- if kindIs "map" $value -}}
{{- include "dovetail.walk" (dict "path" $path "values" $value "known" $at.known "found" $at.found) -}}
{{- else if not (kindIs "invalid" $value) -}}
{{- $_ := set $at.found "faults" (append $at.found.faults (printf "%s must hold values of its own, not %v" $path $value)) -}}
{{- end -}}
{{- else if not (has $key $here) -}}
{{- $near := include "dovetail.nearest" (dict "path" $path "key" $key "known" $at.known) -}}
{{- $hint := ternary (printf "did you mean %s?" $near) "README.md of the chart lists all" (ne $near "") -}}
{{- $_ := set $at.found "faults" (append $at.found.faults (printf "there is no value %s; %s" $path $hint)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* The known value whose letters are most alike: of each pair of letters that follow one another in the one, is it in the other?
A value of the same parent is preferred, and half of the letters must be alike. */ -}}
{{- define "dovetail.nearest" -}}
{{- $best := dict "path" "" "score" 50 -}}
{{- $mine := lower .key -}}
{{- $parent := trimSuffix (printf ".%s" .key) (printf ".%s" .path) | trimPrefix "." -}}
{{- range $in, $keys := .known.keys -}}
{{- range $key := $keys -}}
{{- $other := lower $key -}}
{{- $shared := 0 -}}
{{- range $i := until (int (max 0 (sub (len $mine) 1))) -}}
{{- if contains (substr $i (int (add $i 2)) $mine) $other -}}
{{- $shared = add $shared 1 -}}
{{- end -}}
{{- end -}}
{{- $pairs := max 1 (sub (add (len $mine) (len $other)) 2) -}}
{{- $score := div (mul 200 $shared) $pairs -}}
{{- if eq $in $parent -}}
{{- $score = add $score 10 -}}
{{- end -}}
{{- if gt $score (int $best.score) -}}
{{- $_ := set $best "score" $score -}}
{{- $_ := set $best "path" (ternary $key (printf "%s.%s" $in $key) (eq $in "")) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $best.path -}}
{{- end -}}
