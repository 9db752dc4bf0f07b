/**
 * `metav1.LabelSelector` with its value rules. Kubernetes does not check selectors inside custom resources; here a wrong one is
 * refused, because a selector that means something else than its author thinks publishes the wrong Pods. Pure.
 */
import * as z from 'zod'
import { choice, described, must, text, type Rule } from './schema.ts'

const PREFIX = '[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*'
const NAME = '[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?'
const KEY_PATTERN = `^(${PREFIX}/)?${NAME}$`
const VALUE_PATTERN = `^(${NAME})?$`
const MAX_PREFIX = 253
const MAX_KEY = MAX_PREFIX + 1 + 63
const MAX_LABELS = 32
const MAX_EXPRESSIONS = 32
const MAX_VALUES = 64

const keyPattern = new RegExp(KEY_PATTERN)
const valuePattern = new RegExp(VALUE_PATTERN)

const labelKeysRule: Rule = {
  rule: `self.all(key, key.size() <= ${MAX_KEY} && key.indexOf('/') <= ${MAX_PREFIX} && key.matches('${KEY_PATTERN}'))`,
  message:
    'must have label keys (an optional DNS prefix and "/", then at most 63 letters, digits, "-", "_", ".") as its keys',
}

const valuesRule: Rule = {
  rule: "self.operator in ['In', 'NotIn'] ? has(self.values) && self.values.size() > 0 : !has(self.values) || self.values.size() == 0",
  message: 'must have values with the operators In and NotIn, and none with Exists and DoesNotExist',
}

export const notEmptyRule: Rule = {
  rule: '(has(self.matchLabels) && self.matchLabels.size() > 0) || (has(self.matchExpressions) && self.matchExpressions.size() > 0)',
  message:
    'must not be empty, it would select every Pod of the namespace; name at least one label in matchLabels or matchExpressions',
}

function isLabelKey(key: string): boolean {
  return keyPattern.test(key) && key.indexOf('/') <= MAX_PREFIX
}

/** `undefined`: they are labels. Not `z.record`, which leaves out a `__proto__` and so would select more than was asked for. */
function labelsError(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return 'must be an object of label keys and values'
  const labels = Object.entries(value)
  if (labels.length > MAX_LABELS) return `must have at most ${MAX_LABELS} labels`
  for (const [key, item] of labels) {
    if (!isLabelKey(key)) return `${labelKeysRule.message}; ${JSON.stringify(key)} is none`
    if (typeof item !== 'string' || !valuePattern.test(item)) {
      return `must have label values (at most 63 letters, digits, "-", "_", "."); the one of ${JSON.stringify(key)} is none`
    }
  }
  return undefined
}

const matchLabels = z
  .custom<Record<string, string>>((value) => labelsError(value) === undefined, {
    error: (issue) => labelsError(issue.input) ?? '',
  })
  .meta({
    type: 'object',
    maxProperties: MAX_LABELS,
    additionalProperties: { type: 'string', maxLength: 63, pattern: VALUE_PATTERN },
    ...described('Labels that a Pod must have, with these values; all of them.', labelKeysRule),
  })

const matchExpression = z
  .object(
    {
      key: text({ pattern: KEY_PATTERN, maxLength: MAX_KEY, be: 'a label key, e.g. app.kubernetes.io/name' })
        .refine((key) => key.indexOf('/') <= MAX_PREFIX, `must have a prefix of at most ${MAX_PREFIX} characters`)
        .meta({
          ...described('The label that this is about.', {
            rule: `self.indexOf('/') <= ${MAX_PREFIX}`,
            message: `must have a prefix of at most ${MAX_PREFIX} characters`,
          }),
        }),
      operator: choice(['In', 'NotIn', 'Exists', 'DoesNotExist']).meta(
        described(
          'In, NotIn: the value is one of values, or none of them (a Pod without the label matches NotIn). Exists, DoesNotExist: the label is there, or not.',
        ),
      ),
      values: z
        .array(text({ pattern: VALUE_PATTERN, maxLength: 63, be: 'a label value' }).meta(described('A label value.')), {
          error: must('a list of label values'),
        })
        .max(MAX_VALUES, `must have at most ${MAX_VALUES} items`)
        .optional()
        .meta({
          'x-kubernetes-list-type': 'atomic',
          ...described('For In and NotIn: the values, at least one. For Exists and DoesNotExist: none.'),
        }),
    },
    { error: must('an object with key, operator and values') },
  )
  .refine(
    ({ operator, values = [] }) => (operator === 'In' || operator === 'NotIn') === values.length > 0,
    valuesRule.message,
  )
  .meta(described('A condition on one label.', valuesRule))

export const labelSelectorSchema = z
  .object(
    {
      matchLabels: matchLabels.optional(),
      matchExpressions: z
        .array(matchExpression, { error: must('a list of expressions') })
        .max(MAX_EXPRESSIONS, `must have at most ${MAX_EXPRESSIONS} items`)
        .optional()
        .meta({
          'x-kubernetes-list-type': 'atomic',
          ...described('Further conditions on labels; all of them must hold.'),
        }),
    },
    { error: must('a label selector: an object with matchLabels or matchExpressions') },
  )
  .refine(
    ({ matchLabels = {}, matchExpressions = [] }) => Object.keys(matchLabels).length + matchExpressions.length > 0,
    notEmptyRule.message,
  )

/** Both parts must hold; an absent part always does. */
export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>> | undefined
  readonly matchExpressions?: readonly LabelSelectorRequirement[] | undefined
}

export interface LabelSelectorRequirement {
  readonly key: string
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'
  readonly values?: readonly string[] | undefined
}
