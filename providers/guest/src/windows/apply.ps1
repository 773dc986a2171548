# The parts that every write is made of.
$ended = @{ status = 0; lock = $null; moved = New-Object Collections.ArrayList }
function Deny-Write([int] $status, [string] $why) {
  $ended.status = $status
  throw $why
}
function Enter-Guest {
  if (-not (Test-Administrator)) { Deny-Write 77 'not an administrator' }
  $ended.lock = New-Object Threading.Mutex $false, 'Global\plimsoll'
  try { $mine = $ended.lock.WaitOne(20000) }
  # Whoever held it died: what was set is in the record.
  catch [Threading.AbandonedMutexException] { $mine = $true }
  if (-not $mine) {
    $ended.lock = $null
    Deny-Write 75 'another run of plimsoll holds the lock of this guest'
  }
  if (Test-Path -LiteralPath $plimsollFolder) {
    if ('S-1-5-18', 'S-1-5-32-544' -notcontains (Get-FolderOwner)) {
      Deny-Write 78 ($plimsollFolder + ' belongs to someone who is not an administrator; look into it and remove it')
    }
  }
}
function Exit-Guest {
  if ($ended.lock) { $ended.lock.ReleaseMutex() }
}
# A script that was sent earlier and comes late must do nothing.
function Assert-Run([string] $deployment, [long] $run) {
  if (-not (Test-Path -LiteralPath $plimsollRecord)) { return }
  $record = ConvertFrom-Json ([IO.File]::ReadAllText($plimsollRecord))
  $newest = $record.runs.$deployment
  if ($newest -and [long] $newest -gt $run) {
    Deny-Write 74 ('this guest has seen run ' + $newest + ' of ' + $deployment + ', this is run ' + $run)
  }
}
# The record must be what the plan saw, or what this very script leaves behind.
function Assert-Record([string[]] $accepted) {
  $found = 'absent'
  if (Test-Path -LiteralPath $plimsollRecord) { $found = Get-Digest ([IO.File]::ReadAllBytes($plimsollRecord)) }
  if ($accepted -notcontains $found) { Deny-Write 76 'the record of this guest was changed since it was read' }
}
function Get-Held([string] $store, [string] $address) {
  $wanted = [Net.IPAddress]::Parse($address)
  Get-NetIPAddress -PolicyStore $store -ErrorAction SilentlyContinue |
    Where-Object { $wanted.Equals([Net.IPAddress]::Parse($_.IPAddress)) }
}
function Add-Moved([string] $what) { [void] $ended.moved.Add($what) }
function Assert-Address([string] $address) {
  if (-not (Get-Held 'ActiveStore' $address)) { Add-Moved ('address ' + $address + ' is gone') }
}
# Indexes are what commands take; that one is still the same interface shows by its address.
function Assert-Interface([int] $index, [string] $address) {
  if (-not (Get-Held 'ActiveStore' $address | Where-Object { $_.InterfaceIndex -eq $index })) {
    Add-Moved ('interface ' + $index + ' no longer holds ' + $address)
  }
}
function Assert-WeakHost([int] $index, [string] $family, [string] $direction) {
  $now = Get-NetIPInterface -InterfaceIndex $index -AddressFamily $family -PolicyStore ActiveStore
  if ([string] $now.('WeakHost' + $direction) -ne 'Enabled') {
    Add-Moved ('weak host ' + $direction + ' of interface ' + $index + ' is off')
  }
}
function Get-Opening([string] $name) {
  Get-NetFirewallRule -PolicyStore PersistentStore -Name $name -ErrorAction SilentlyContinue
}
function Assert-Opening([string] $name) {
  if (-not (Get-Opening $name)) { Add-Moved ('firewall rule ' + $name + ' is gone') }
}
function Assert-Unmoved {
  if ($ended.moved.Count) { Deny-Write 73 ($ended.moved -join "`n") }
}
# Written beside its place and moved there: a reader sees the old text or the new one.
function Save-Record([string] $text) {
  if (-not (Test-Path -LiteralPath $plimsollFolder)) {
    [void] [IO.Directory]::CreateDirectory($plimsollFolder)
    # By number, because groups are named in the system's language: only the system and administrators write there.
    [void] (& icacls.exe $plimsollFolder /setowner '*S-1-5-32-544' /q)
    [void] (& icacls.exe $plimsollFolder /inheritance:r /grant:r '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F' /q)
    if ($LASTEXITCODE -ne 0) { Deny-Write 78 ('cannot protect ' + $plimsollFolder) }
  }
  $draft = $plimsollRecord + '.plimsoll'
  $bytes = (New-Object Text.UTF8Encoding $false).GetBytes($text.Replace("`r", ''))
  $file = [IO.File]::Create($draft)
  try {
    $file.Write($bytes, 0, $bytes.Length)
    $file.Flush($true)
  } finally { $file.Dispose() }
  if (Test-Path -LiteralPath $plimsollRecord) { [IO.File]::Replace($draft, $plimsollRecord, [NullString]::Value) }
  else { [IO.File]::Move($draft, $plimsollRecord) }
}
# Both stores: what runs now and what comes back at boot. Never a source of outgoing packets: Azure drops those.
function Add-Address([int] $index, [string] $address, [int] $prefix) {
  $new = @{ InterfaceIndex = $index; IPAddress = $address; PrefixLength = $prefix; SkipAsSource = $true }
  $missing = @($stores | Where-Object { -not (Get-Held $_ $address | Where-Object { $_.InterfaceIndex -eq $index }) })
  if ($missing.Count -eq 1) { $new['PolicyStore'] = $missing[0] }
  if ($missing.Count) { [void] (New-NetIPAddress @new) }
  # A tentative address cannot be bound yet.
  for ($turn = 0; $turn -lt 20; $turn++) {
    if (-not (Get-Held 'ActiveStore' $address | Where-Object { [string] $_.AddressState -eq 'Tentative' })) { return }
    Start-Sleep -Milliseconds 500
  }
}
function Remove-Address([int] $index, [string] $address, [int] $prefix) {
  foreach ($store in $stores) {
    Get-Held $store $address | Where-Object { $_.InterfaceIndex -eq $index -and $_.PrefixLength -eq $prefix } | ForEach-Object {
      Remove-NetIPAddress -InterfaceIndex $index -IPAddress $address -PolicyStore $store -Confirm:$false
    }
  }
}
function Set-WeakHost([int] $index, [string] $family, [string] $direction, [string] $value) {
  $set = @{ InterfaceIndex = $index; AddressFamily = $family; ('WeakHost' + $direction) = $value }
  Set-NetIPInterface @set
}
# An admin's rule under our name would be his: the group is the mark of ours.
function Set-Opening([string] $name, [hashtable] $rule) {
  $found = Get-Opening $name
  if (-not $found) {
    [void] (New-NetFirewallRule -Name $name -DisplayName $name -Group 'plimsoll' -Direction Inbound -Action Allow -Profile Any @rule)
    return
  }
  if ([string] $found.Group -ne 'plimsoll') { Deny-Write 78 ('firewall rule ' + $name + ' exists and is not of plimsoll; rename it') }
  # Changed in its place: between a removal and a new one nothing would come through.
  Set-NetFirewallRule -Name $name -Enabled True -Direction Inbound -Action Allow -Profile Any @rule
}
function Remove-Opening([string] $name) {
  Get-Opening $name | Where-Object { [string] $_.Group -eq 'plimsoll' } | Remove-NetFirewallRule
}
