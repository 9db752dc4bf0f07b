/**
 * Kubernetes label selectors, and the index that finds who selects whom without a scan: every selector has an **anchor**, one
 * term that any object it matches must carry; objects are indexed by all terms they carry. Matching follows
 * apimachinery's labels.Requirement.Matches.
 */
import type { LabelSelector } from '../crds/label-selector.ts'

export type Labels = Readonly<Record<string, string>>

export function matches(selector: LabelSelector, labels: Labels): boolean {
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    if (label(labels, key) !== value) return false
  }
  return (selector.matchExpressions ?? []).every((expression) => {
    const value = label(labels, expression.key)
    switch (expression.operator) {
      case 'In':
        return value !== undefined && (expression.values ?? []).includes(value)
      case 'NotIn':
        return value === undefined || !(expression.values ?? []).includes(value)
      case 'Exists':
        return value !== undefined
      case 'DoesNotExist':
        return value === undefined
    }
  })
}

/**
 * The terms under which a selector is to be looked up: an object that it matches carries at least one of them. A selector that
 * names no value (Exists, NotIn, DoesNotExist only) is anchored at its whole namespace.
 */
export function anchors(namespace: string, selector: LabelSelector): readonly string[] {
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) return [equals(namespace, key, value)]
  for (const expression of selector.matchExpressions ?? []) {
    if (expression.operator === 'In')
      return (expression.values ?? []).map((value) => equals(namespace, expression.key, value))
  }
  return [namespace]
}

/** Every term that an object of these labels carries. */
export function terms(namespace: string, labels: Labels): readonly string[] {
  const found = [namespace]
  for (const [key, value] of Object.entries(labels)) found.push(equals(namespace, key, value))
  return found
}

function label(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined
}

function equals(namespace: string, key: string, value: string): string {
  return `${namespace} ${key}=${value}`
}
